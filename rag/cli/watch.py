"""`rag watch`: the index kept in step with folders until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli import interrupt
from rag.cli.screen import options, say, say_reason, show, show_json

if TYPE_CHECKING:
    from ingest.report import IngestReport
    from rag.api import RAG
    from rag.types import Document

LOCKED_SECONDS = 2.0
"""Between two tries while another process writes to the index."""

ALLOW_EMPTY = click.option(
    "--allow-empty",
    is_flag=True,
    help=say("While watching, let an emptied folder empty the index.", "监视时允许清空的文件夹清空索引。"),
)


@click.command(
    help=say(
        "Keep the index in step with folders. Changes are in it within seconds, until Ctrl-C.",
        "让索引跟随文件夹。文件的变化几秒内进入索引，直到按下 Ctrl-C。",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@options("index", "embedder", "json")
@ALLOW_EMPTY
def watch(
    paths: tuple[Path, ...], index: str | None, embedder: str | None, allow_empty: bool, as_json: bool
) -> None:
    from ingest.discover import check_path
    from rag.api import RAG
    from rag.cli.bars import download_bar

    for path in paths:
        check_path(path)  # said before any model is fetched
    with download_bar(), RAG.open(index, embedder=embedder, llm="none") as rag:
        keep_in_step(rag, paths, (), allow_empty, as_json)


def keep_in_step(
    rag: RAG, paths: Sequence[Path], columns: Sequence[str], allow_empty: bool, as_json: bool
) -> None:
    """Ingest `paths` whenever something changed in them, and say what became of it; ends with Ctrl-C."""
    from ingest.watch import wait_for_changes

    log = _Log(rag.store.documents(), as_json)
    try:
        with interrupt.let_it_finish():
            show(say("Watching; Ctrl-C ends it.", "正在监视，按 Ctrl-C 结束。"), err=True)
            for _ in wait_for_changes(paths):
                _look(rag, paths, columns, allow_empty, log)
    except KeyboardInterrupt:
        show(say("Stopped: the index is as the last lines say.", "已停止：索引与上面所示一致。"), err=True)
        sys.exit(interrupt.STATUS)


def _look(rag: RAG, paths: Sequence[Path], columns: Sequence[str], allow_empty: bool, log: _Log) -> None:
    """One ingest of the paths that are there; waits while another process writes."""
    from rag.errors import IndexLocked, LoadError

    there = [path for path in paths if path.exists()]
    for path in paths:
        if path not in there:
            log.problem(str(path), say("it is missing: its documents stay", "已不存在：其文档保留"))
    while there:
        try:
            report = rag.ingest(*there, csv_text=columns, allow_empty=allow_empty)
        except IndexLocked:
            time.sleep(LOCKED_SECONDS)
        except LoadError as error:
            return log.problem(", ".join(map(str, there)), str(error))
        else:
            return log.report(report, rag.store.documents())


class _Log:
    """Says each change once, and each problem until it is another one."""

    def __init__(self, documents: Mapping[str, Document], as_json: bool) -> None:
        self._known = {source: document.sha256 for source, document in documents.items()}
        self._problems: dict[str, str] = {}
        self._as_json = as_json

    def report(self, report: IngestReport, documents: Mapping[str, Document]) -> None:
        now = {source: document.sha256 for source, document in documents.items()}
        for kind, source in _differences(self._known, now):
            self._line(kind, source, "")
        self._known = now
        problems = [*report.skipped, *report.failed]
        for row in problems:
            self.problem(row["source"], row["reason"])
        self._problems = {row["source"]: row["reason"] for row in problems}

    def problem(self, source: str, reason: str) -> None:
        if self._problems.get(source) != reason:
            self._problems[source] = reason
            self._line("skipped", source, reason)

    def _line(self, kind: str, source: str, reason: str) -> None:
        if self._as_json:
            return show_json({"change": kind, "source": source, **({"reason": reason} if reason else {})})
        words = {
            "added": say("added", "新增"),
            "updated": say("updated", "更新"),
            "removed": say("removed", "移除"),
            "skipped": say("skipped", "跳过"),
        }
        show(
            f"{time.strftime('%H:%M:%S')} {words[kind]}: {source}" + (f" ({say_reason(reason)})" if reason else "")
        )


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for source in sorted({*before, *now}):
        if source not in before:
            yield "added", source
        elif source not in now:
            yield "removed", source
        elif before[source] != now[source]:
            yield "updated", source
