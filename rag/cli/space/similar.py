"""`rag similar`: more like this, and less like that."""

from __future__ import annotations

from typing import Literal

import click

from rag.cli.ask import _where, open_rag
from rag.cli.screen import options, place, say, show, show_json
from rag.cli.space.opened import short


@click.command(
    help=say(
        "List the passages most like examples. An EXAMPLE is a source, as `rag sources` names it, any text, or "
        "a picture's file (for an index of --embedder clip:…).",
        "列出与例子最相似的段落。EXAMPLE 可以是来源（名称见 rag sources）、任意文本，"
        "或图片文件（索引需用 --embedder clip:… 建立）。",
    )
)
@click.argument("examples", nargs=-1, required=True, metavar="EXAMPLE…")
@click.option("--not", "unlike", multiple=True, metavar="EXAMPLE", help=say("Less like this.", "要远离的例子。"))
@click.option(
    "--mode",
    type=click.Choice(["average", "best"]),
    default="average",
    show_default=True,
    help=say("By the mean of the examples, or by the best of them.", "按例子的平均，或按最接近的一个例子。"),
)
@click.option(
    "--documents", is_flag=True, help=say("Documents, by their best passage.", "按文档列出（取其最相似的段落）。")
)
@options("index", "embedder", "top_k", "source", "type", "page", "json")
def similar(
    examples: tuple[str, ...],
    unlike: tuple[str, ...],
    mode: Literal["average", "best"],
    documents: bool,
    index: str | None,
    embedder: str | None,
    top_k: int | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
) -> None:
    from rag.space.similar import find_similar

    where = _where(source, kind, page)
    with open_rag(index, embedder, "none") as rag:
        by: Literal["document", "passage"] = "document" if documents else "passage"
        hits = find_similar(rag.store, rag.embedder, examples, unlike, top_k or 10, mode, by, where)
    if as_json:
        show_json({"hits": [hit.as_json() for hit in hits]})
        return
    for hit in hits:
        name = hit.chunk.source if documents else place(hit.chunk, examples[0])
        show(f"{hit.rank:2}. {hit.score:.3f}  {name}", bold=True)
        show(f"    {short(hit.chunk.text, 300)}\n")
    if not hits:
        show(say("Nothing is like it.", "没有相似的内容。", examples[0]))
