"""`rag ingest`, `rag status`, `rag sources` and `rag forget`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag import __version__
from rag.cli.screen import options, plain, say, show_json

if TYPE_CHECKING:
    from ingest.report import IngestReport, Progress
    from rag.api import RAG
    from rag.stores import Store


@click.command(
    help=say(
        "Read folders and files into the index. Run it again to bring it in step: only what changed is read.",
        "把文件夹和文件读入索引。再次运行即可更新：只读取有变化的文件。",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@options("index", "embedder", "json")
@click.option(
    "--csv-text",
    metavar="COLUMNS",
    help=say("Columns of tables to read, as in title,text.", "表格中要读取的列，如 title,text。"),
)
@click.option("--chunk-tokens", type=int, help=say("The most tokens of a chunk.", "每个片段的最大词元数。"))
@click.option(
    "--dry-run",
    is_flag=True,
    help=say("Only count files, chunks, tokens and calls.", "只统计文件、片段、词元和请求数。"),
)
def ingest(
    paths: tuple[Path, ...],
    index: str | None,
    embedder: str | None,
    csv_text: str | None,
    chunk_tokens: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from rag.api import RAG
    from rag.cli.models import fetching
    from rag.errors import LoadError

    for path in paths:
        if not path.exists():  # said before any model is fetched
            raise LoadError(f"there is no file or folder {path}: check the spelling")
    columns = tuple(name.strip() for name in (csv_text or "").split(",") if name.strip())
    with fetching(), RAG.open(index, embedder=embedder, llm="none", chunk_tokens=chunk_tokens) as rag:
        if dry_run:
            _show_estimate(rag, paths, columns, as_json)
            return
        if rag.store.manifest() is None:
            rag.embedder.count_tokens([""])  # fetch what is missing before the bar of the files starts
        with _bar() as progress:
            report = rag.ingest(*paths, csv_text=columns, progress=progress)
    if as_json:
        show_json({**asdict(report), "seconds": round(report.seconds, 3)})
    else:
        _show_report(report)
    if report.failed:
        sys.exit(3)


def _show_estimate(rag: RAG, paths: Sequence[Path], columns: Sequence[str], as_json: bool) -> None:
    """What an ingest would read and ask for, before money is spent."""
    from ingest.estimate import estimate
    from ingest.pipeline import as_before

    settings = as_before(rag.settings, rag.store.manifest())
    counts = asdict(estimate(paths, rag.embedder, settings, csv_text=columns, known=rag.store.documents()))
    if as_json:
        show_json(counts)
        return
    for name, count in counts.items():
        click.echo(f"{name:<8} {count:>12,}")


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(say("Ingesting", "正在导入")),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(
            say(
                "files · {task.fields[chunks]} chunks · {task.fields[rate]:.0f}/s ·",
                "个文件 · {task.fields[chunks]} 个片段 · {task.fields[rate]:.0f}/秒 ·",
            )
        ),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, chunks=0, rate=0.0)
        yield lambda now: bar.update(
            task, total=now.files, completed=now.done, chunks=now.chunks, rate=now.chunks / max(now.seconds, 0.1)
        )


def _show_report(report: IngestReport) -> None:
    for kind, rows, colour in (
        (say("skipped", "跳过"), report.skipped, "yellow"),
        (say("failed", "失败"), report.failed, "red"),
        (say("cut", "已分段"), report.cut, "yellow"),
    ):
        for row in rows:
            click.secho(f"{kind}: {plain(row['source'])} ({plain(row['reason'])})", fg=colour, err=True)
    if not (report.added or report.updated or report.removed):
        click.echo(
            say(
                f"Nothing changed: {report.unchanged} files are as they were.",
                f"没有变化：{report.unchanged} 个文件保持原样。",
            )
            if report.unchanged
            else say("There was nothing to read there.", "那里没有可读取的文件。")
        )
        return
    click.echo(
        say(
            f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.removed} removed, {len(report.skipped)} skipped, {len(report.failed)} failed"
            f" · {report.chunks} chunks · {report.seconds:.1f} s",
            f"新增 {report.added}，更新 {report.updated}，未变 {report.unchanged}，移除 {report.removed}，"
            f"跳过 {len(report.skipped)}，失败 {len(report.failed)}"
            f" · {report.chunks} 个片段 · {report.seconds:.1f} 秒",
        )
    )


@click.command(
    help=say("What the index holds, and what is missing on this machine.", "索引概况，以及本机缺少什么。")
)
@options("index", "json")
def status(index: str | None, as_json: bool) -> None:
    facts = _facts(index)
    if as_json:
        show_json(facts)
        return
    for part, values in facts.items():
        click.secho(part, bold=True)
        for name, value in values.items():
            click.echo(f"  {name:<12} {plain(str(value))}")


def _facts(index: str | None) -> dict[str, dict[str, Any]]:
    """Everything `status` says, by part."""
    from rag.config import load_settings
    from rag.weights.cache import cache_dir, catalogue, is_present

    settings = load_settings({"index": index})
    with _opened(index) as store:
        manifest = store.manifest()
        statistics = (
            getattr(store, "statistics", dict)()
            if manifest
            else {"empty": f"rag ingest FOLDER --index {store.url}"}
        )
        found = {"url": store.url, **statistics}
    return {
        "index": found,
        "manifest": asdict(manifest) if manifest else {},
        "models": {name: "here" if is_present(model) else "missing" for name, model in catalogue().items()},
        "kernels": _kernels(),
        "settings": {**asdict(settings), "index": found["url"]},  # whose password, if it has one, is not shown
        "machine": {
            "ragstone": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "models in": str(cache_dir()),
        },
    }


def _kernels() -> dict[str, str]:
    """The engines that do the arithmetic, with their versions."""
    from importlib.metadata import version

    return {name: version(name) for name in ("onnxruntime", "faiss-cpu", "xllamacpp", "numpy")}


@click.command(help=say("List the files in the index.", "列出索引中的文件。"))
@options("index", "json")
def sources(index: str | None, as_json: bool) -> None:
    with _opened(index, needed=True) as store:
        documents = sorted(store.documents().values(), key=lambda d: d.source)
    if as_json:
        show_json({"sources": [asdict(d) for d in documents]})
        return
    for document in documents:
        click.echo(f"{document.chunks:6}  {plain(document.source)}")


@click.command(
    help=say(
        "Take SOURCE (as `rag sources` names it) out of the index.", "从索引中移除 SOURCE（名称见 rag sources）。"
    )
)
@click.argument("source")
@options("index")
def forget(source: str, index: str | None) -> None:
    from rag.errors import IndexMissing, StoreError

    with _opened(index) as store:
        manifest = store.manifest()
        if manifest is None:
            raise IndexMissing(store.url)
        with store.write(manifest) as writer:
            if not writer.remove([source]):
                raise StoreError(f"the index has no source {source!r}: `rag sources` lists them")
            writer.commit()
    click.echo(say(f"Forgotten: {source}", f"已移除：{source}"))


@contextmanager
def _opened(index: str | None, needed: bool = False) -> Iterator[Store]:
    """The store alone, without loading any model."""
    from rag.config import load_settings
    from rag.errors import IndexMissing
    from rag.stores import open_store

    store = open_store(load_settings({"index": index}).index)
    try:
        if needed and store.manifest() is None:
            raise IndexMissing(store.url)
        yield store
    finally:
        store.close()


@click.command(
    "copy",
    help=say(
        "Move an index to another engine without embedding again, and check that both find the same.",
        "把索引迁移到另一种存储引擎（无需重新计算向量），并核对两边检索结果一致。",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@options("json")
def copy_index(source: str, target: str, as_json: bool) -> None:
    from rag.stores import open_store
    from rag.stores.copy import copy

    origin, goal = open_store(source), open_store(target)
    try:
        with _counter(say("Copying", "正在复制")) as progress:
            copied = copy(origin, goal, progress=progress)
    finally:
        origin.close()
        goal.close()
    if as_json:
        show_json(asdict(copied))
        return
    click.echo(
        say(
            f"{copied.documents} documents, {copied.chunks} chunks; {copied.searches} searches compared.",
            f"{copied.documents} 个文档，{copied.chunks} 个片段；已比对 {copied.searches} 次检索。",
        )
    )


@contextmanager
def _counter(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of things done, of all; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)
