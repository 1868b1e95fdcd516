"""`rag status`, `rag sources`, `rag forget` and `rag copy`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click

from rag.cli.bars import count_bar
from rag.cli.chinese import word_in_chinese
from rag.cli.screen import options, say, show, show_json

if TYPE_CHECKING:
    from rag.stores import Checked


@click.command(
    help=say("Show what the index holds, and what is missing on this machine.", "显示索引概况，以及本机缺少什么。")
)
@options("index", "json")
def status(index: str | None, as_json: bool) -> None:
    from rag.index import Index

    with Index.open(index) as opened:
        facts = opened.status().as_json()
    if as_json:
        show_json(facts)
        return
    for part, values in facts.items():
        show(_word(part), bold=True)
        names = [_word(name) for name in values]
        width = max(map(_cells, names), default=0)
        for name, value in zip(names, values.values(), strict=True):
            show(f"  {name}{' ' * (width - _cells(name))}  {_in_words(value)}")


def _word(word: str) -> str:
    return say(word, word_in_chinese(word))


def _cells(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _in_words(value: object) -> str:
    """A value of the status as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return "-" if value in ("", None) else _word(str(value))


@click.command(
    help=say("List the files in the index, each with its number of chunks.", "列出索引中的文件和各自的片段数。")
)
@options("index", "json")
def sources(index: str | None, as_json: bool) -> None:
    from rag.index import Index

    with Index.open(index) as opened:
        documents = opened.sources()
    if as_json:
        show_json({"sources": [asdict(d) for d in documents]})
        return
    for document in documents:
        show(f"{document.chunks:6}  {document.source}")


@click.command(
    help=say(
        "Take sources, folders or patterns, as `rag sources` names them, out of the index.",
        "从索引中移除来源、文件夹或通配符所指的来源（名称见 rag sources）。",
    )
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.option("--dry-run", is_flag=True, help=say("Only list what would go.", "只列出将被移除的来源。"))
@options("index")
def forget(sources: tuple[str, ...], dry_run: bool, index: str | None) -> None:
    from rag.index import Index

    with Index.open(index) as opened:
        forgotten = opened.forget(*sources, dry_run=dry_run)
    for name in forgotten:
        gone = say(f"Forgotten: {name}", f"已移除：{name}")
        show(say(f"Would be forgotten: {name}", f"将移除：{name}") if dry_run else gone)


@click.command(
    "copy",
    help=say(
        "Copy an index to another engine or, with --embedder, to another embedder. No file is read again, and "
        "searches on both sides are compared.",
        "把索引复制到另一种存储引擎，或用 --embedder 换成另一个嵌入模型。不重新读取文件，并核对两边检索结果。",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@options("embedder", "json")
def copy_index(source: str, target: str, embedder: str | None, as_json: bool) -> None:
    from rag.index import Index

    with Index.open(source) as origin, count_bar(say("Copying", "正在复制")) as progress:
        copied = origin.copy_to(target, progress, embedder)
    if as_json:
        show_json(asdict(copied))
        return
    show(
        say(
            f"{copied.documents} documents, {copied.chunks} chunks; {copied.searches} searches compared.",
            f"{copied.documents} 个文档，{copied.chunks} 个片段；已比对 {copied.searches} 次检索。",
        )
    )


@click.command(
    help=say(
        "Read all of the index and say whether it is as it was written.",
        "通读整个索引，检查其内容是否与写入时一致。",
    )
)
@click.option(
    "--repair",
    is_flag=True,
    help=say(
        "Make it anew from what is whole, without embedding; name the files that must be read again.",
        "用完好的部分重建索引（无需重新计算向量），并列出需要重新读取的文件。",
    ),
)
@options("index", "json")
def check(index: str | None, repair: bool, as_json: bool) -> None:
    from rag.index import Index

    with Index.open(index) as opened:
        found = opened.check(repair)
    if as_json:
        show_json(asdict(found))
    else:
        _show_checked(found, repair)
    if found.problems and not repair:
        sys.exit(1)


def _show_checked(found: Checked, repaired: bool) -> None:
    for problem in found.problems:
        show(say(f"damaged: {problem}", f"已损坏：{problem}"), err=True, fg="red")
    if not found.problems:
        counts = found.documents, found.chunks
        show(
            say("The index is whole: {} documents, {} chunks.", "索引完好：{} 个文档，{} 个片段。").format(*counts)
        )
    elif not repaired:
        show(say("`rag check --repair` saves what is whole.", "运行 rag check --repair 可保留完好的部分。"))
    else:
        for source in found.lost:
            show(say(f"to be read again: {source}", f"需要重新读取：{source}"))
        show(
            say(
                f"Repaired: {found.documents} documents are kept; `rag ingest` reads the others again.",
                f"已修复：保留 {found.documents} 个文档；其余文件请用 rag ingest 重新读取。",
            )
        )
