"""`rag duplicates`: what is there more than once, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.ask import _where
from rag.cli.screen import options, place, say, show, show_json
from rag.cli.space.opened import open_points, short

if TYPE_CHECKING:
    from rag.space.duplicates import DuplicateDocuments, DuplicatePassages

_DIFFERENCES = 4  # that are shown of a pair


@click.command(
    help=say(
        "List documents and passages that are nearly the same. What differs between them is shown.",
        "列出相同或几乎相同的文档与段落。同时指出差异。",
    )
)
@options("index", "source", "type", "page", "json")
@click.option(
    "--above",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help=say("The least cosine of nearly the same.", "“几乎相同”的最低余弦相似度。"),
)
@click.option(
    "--most",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help=say("Groups of passages that are shown; --json has all.", "显示的段落组数（--json 输出全部）。"),
)
def duplicates(
    index: str | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
    above: float,
    most: int,
) -> None:
    from rag.space.duplicates import find_duplicates

    with open_points(index, _where(source, kind, page)) as (_, points):
        found = find_duplicates(points, above)
    if as_json:
        show_json(
            {
                "documents": [
                    {"sources": list(d.sources), "shared": d.shared, "same": d.same} for d in found.documents
                ],
                "passages": [_passages_json(group) for group in found.passages],
            }
        )
        return
    for documents in found.documents:
        _show_documents(documents)
    for group in found.passages[:most]:
        _show_passages(group)
    show(
        say(
            f"{len(found.documents)} groups of documents, {len(found.passages)} of passages.",
            f"重复文档 {len(found.documents)} 组，重复段落 {len(found.passages)} 组。",
        )
    )


def _show_documents(group: DuplicateDocuments) -> None:
    how = say("the same", "相同") if group.same else f"{group.shared:.0%}"
    show(say(f"Documents, {how}:", f"文档（{how}）："), bold=True)
    for source in group.sources:
        show(f"  {source}")


def _show_passages(group: DuplicatePassages) -> None:
    from rag.space.differences import find_differences

    first, *others = group.chunks
    show(f"{group.cosine:.3f}  {short(first.text)}", bold=True)
    show(f"       {place(first)}")
    for chunk in others[:_DIFFERENCES]:
        show(f"       {place(chunk)}")
        for difference in find_differences(first.text, chunk.text)[:_DIFFERENCES]:
            if difference.before:
                show(f"         − {short(difference.before)}", fg="red")
            if difference.after:
                show(f"         + {short(difference.after)}", fg="green")
    if len(others) > _DIFFERENCES:
        rest = len(others) - _DIFFERENCES
        show(say(f"       and {rest} more", f"       以及另外 {rest} 处"))


def _passages_json(group: DuplicatePassages) -> dict[str, Any]:
    from rag.space.differences import find_differences

    first = group.chunks[0]
    return {
        "cosine": round(group.cosine, 6),
        "same": group.same,
        "passages": [
            {
                "source": chunk.source,
                "position": chunk.position,
                "page": chunk.page,
                "text": chunk.text,
                "differences": []
                if group.same
                else [[d.before, d.after] for d in find_differences(first.text, chunk.text)],
            }
            for chunk in group.chunks
        ],
    }
