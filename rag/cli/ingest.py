"""`rag ingest`: folders and files into the index."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli import interrupt
from rag.cli.bars import ingest_bar
from rag.cli.screen import options, say, say_reason, show, show_json
from rag.cli.watch import ALLOW_EMPTY, keep_in_step

if TYPE_CHECKING:
    from ingest.report import IngestReport
    from rag.api import RAG


@click.command(
    help=say(
        "Read folders and files into the index. Run it again to bring it in step: only what changed is read.",
        "把文件夹和文件读入索引。再次运行即可更新：只读取有变化的文件。",
    )
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="PATH…")
@options("index", "embedder", "json")
@click.option(
    "--csv-text",
    metavar="COLUMNS",
    help=say("Columns of tables to read, as in title,text.", "表格中要读取的列，如 title,text。"),
)
@click.option("--chunk-tokens", type=int, help=say("The most tokens of a chunk.", "每个片段的最大词元数。"))
@click.option(
    "--no-ocr",
    is_flag=True,
    help=say("Do not read scans and pictures.", "不读取扫描件和图片。"),
)
@click.option(
    "--dry-run",
    is_flag=True,
    help=say("Only count files, chunks, tokens and calls.", "只统计文件、片段、词元和请求数。"),
)
@click.option("--watch", is_flag=True, help=say("Go on: rag watch.", "之后继续监视：rag watch。"))
@ALLOW_EMPTY
@click.option(
    "--prune",
    is_flag=True,
    help=say("Take sources whose files are gone out of the index.", "从索引中移除文件已不存在的来源。"),
)
def ingest(
    paths: tuple[Path, ...],
    index: str | None,
    embedder: str | None,
    csv_text: str | None,
    chunk_tokens: int | None,
    no_ocr: bool,
    dry_run: bool,
    watch: bool,
    allow_empty: bool,
    prune: bool,
    as_json: bool,
) -> None:
    from ingest.discover import check_path
    from ingest.report import Stopped
    from rag.api import RAG
    from rag.cli.bars import download_bar

    if not paths and not prune:
        raise click.UsageError(say("name a folder or a file to read", "请给出要读取的文件夹或文件"))
    for path in paths:
        check_path(path)  # said before any model is fetched
    columns = tuple(name.strip() for name in (csv_text or "").split(",") if name.strip())
    with (
        download_bar(),
        RAG.open(
            index, embedder=embedder, llm="none", chunk_tokens=chunk_tokens, ocr=False if no_ocr else None
        ) as rag,
    ):
        if dry_run:
            _show_estimate(rag, paths, columns, as_json)
            return
        if rag.store.manifest() is None:
            rag.embedder.count_tokens([""])  # fetch what is missing before the bar of the files starts
        stopped = False
        try:
            with ingest_bar() as progress:
                report = rag.ingest(*paths, csv_text=columns, prune=prune, progress=progress)
        except Stopped as exc:
            report, stopped = exc.report, True
        _show(report, as_json)
        if watch and not stopped:
            keep_in_step(rag, paths, columns, allow_empty, as_json)
    if stopped:
        show(say("Stopped: run it again to read the rest.", "已停止：再次运行即可读取其余文件。"), err=True)
        sys.exit(interrupt.STATUS)
    if report.failed:
        sys.exit(3)


def _show_estimate(rag: RAG, paths: Sequence[Path], columns: Sequence[str], as_json: bool) -> None:
    """What an ingest would read and ask for, before money is spent."""
    from ingest.estimate import estimate
    from ingest.pipeline import with_index_chunk_size

    settings = with_index_chunk_size(rag.settings, rag.store.manifest())
    counts = asdict(estimate(paths, rag.embedder, settings, csv_text=columns, known=rag.store.documents()))
    if as_json:
        show_json(counts)
        return
    for name, count in counts.items():
        show(f"{name:<8} {count:>12,}")


def _show(report: IngestReport, as_json: bool) -> None:
    if as_json:
        show_json({**asdict(report), "seconds": round(report.seconds, 3)})
    else:
        _show_report(report)


def _show_report(report: IngestReport) -> None:
    for kind, rows, colour in (
        (say("skipped", "跳过"), report.skipped, "yellow"),
        (say("failed", "失败"), report.failed, "red"),
        (say("cut", "已分段"), report.cut, "yellow"),
        ("OCR", report.ocr_pages, "cyan"),
    ):
        for row in rows:
            show(f"{kind}: {row['source']} ({say_reason(row['reason'])})", fg=colour, err=True)
    if report.gone:
        _show_gone(report.gone)
    if not (report.added or report.updated or report.removed or report.moved):
        show(
            say(
                f"Nothing changed: {report.unchanged} files are as they were.",
                f"没有变化：{report.unchanged} 个文件保持原样。",
            )
            if report.unchanged
            else say("There was nothing to read there.", "那里没有可读取的文件。")
        )
        return
    moved = (f"{report.moved} moved, ", f"移动 {report.moved}，") if report.moved else ("", "")
    show(
        say(
            f"{report.added} added, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.removed} removed, {moved[0]}{len(report.skipped)} skipped, {len(report.failed)} failed"
            f" · {report.chunks} chunks · {report.seconds:.1f} s",
            f"新增 {report.added}，更新 {report.updated}，未变 {report.unchanged}，移除 {report.removed}，"
            f"{moved[1]}跳过 {len(report.skipped)}，失败 {len(report.failed)}"
            f" · {report.chunks} 个片段 · {report.seconds:.1f} 秒",
        )
    )


def _show_gone(gone: Sequence[str]) -> None:
    first = ", ".join(gone[:3]) + ("…" if len(gone) > 3 else "")
    show(
        say(
            f"gone: the files of {len(gone)} sources in the index ({first}); `rag ingest --prune` takes them out"
            if len(gone) > 1
            else f"gone: the file of a source in the index ({first}); `rag ingest --prune` takes it out",
            f"已不存在：索引中 {len(gone)} 个来源的文件（{first}）；运行 rag ingest --prune 可移除",
        ),
        fg="yellow",
        err=True,
    )
