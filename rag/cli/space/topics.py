"""`rag topics`: what the documents are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rag.cli.ask import _where
from rag.cli.screen import options, place, say, show, show_json
from rag.cli.space.opened import open_points, short

if TYPE_CHECKING:
    from rag.space.topics import Topic


@click.command(
    help=say(
        "List the topics of the documents. Each has a name, a size and typical passages; their number is found.",
        "列出文档的主题。每个主题有名称、大小与典型段落；主题数目自动确定。",
    )
)
@options("index", "source", "type", "page", "json")
@click.option(
    "--resolution",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help=say("Higher: more and smaller topics.", "越大，主题越多、越细。"),
)
@click.option("--tree", is_flag=True, help=say("The topics inside large ones too.", "同时列出大主题内的小主题。"))
def topics(
    index: str | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
    resolution: float,
    tree: bool,
) -> None:
    from rag.space.topics import find_topics

    with open_points(index, _where(source, kind, page), least=3, together=True) as (_, points):
        found = find_topics(points, resolution)
    if as_json:
        show_json({"topics": [_as_json(topic) for topic in found.topics], "without": round(found.without, 4)})
        return
    for topic in found.topics:
        _show(topic, len(points))
        for part in topic.parts if tree else ():
            show(f"         {len(part.rows):5}  {name_of(part)}")
    show(
        say(
            f"{len(found.topics)} topics; {found.without:.0%} of {len(points)} passages are of none.",
            f"{len(found.topics)} 个主题；{len(points)} 个段落中有 {found.without:.0%} 不属于任何主题。",
        )
    )


def name_of(topic: Topic) -> str:
    """A topic's words in one line."""
    return " · ".join(topic.name) or say("(no word of its own)", "（没有特有的词）")


def _show(topic: Topic, total: int) -> None:
    show(f"{len(topic.rows):6} {len(topic.rows) / total:4.0%}  {name_of(topic)}", bold=True)
    for chunk in topic.typical:
        show(f"             {place(chunk)}", dim=True)
        show(f"             {short(chunk.text)}", dim=True)


def _as_json(topic: Topic) -> dict[str, Any]:
    return {
        "name": list(topic.name),
        "passages": len(topic.rows),
        "typical": [
            {"source": chunk.source, "page": chunk.page, "heading": " > ".join(chunk.heading), "text": chunk.text}
            for chunk in topic.typical
        ],
        "parts": [{"name": list(part.name), "passages": len(part.rows)} for part in topic.parts],
    }
