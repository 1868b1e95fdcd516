"""`rag map`: the documents as points of a plane, in a page or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.ask import _where, open_rag
from rag.cli.screen import is_chinese, options, say, show, show_json
from rag.cli.space.opened import open_points, picture_font

if TYPE_CHECKING:
    from rag.space.maps.map import Map

_HITS = 5  # that a question has lines to
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(
    name="map",
    help=say(
        "Draw a map of the passages, like meanings near each other. Points are coloured and named by topic; the "
        "map is one HTML file to look around in (search, zoom, read), or a PNG for print.",
        "画出段落的地图：意思越近，位置越近。各点按主题着色并标注名称；"
        "可输出一个 HTML 文件（可搜索、缩放、阅读），或用于打印的 PNG。",
    ),
)
@click.option("--html", type=_FILE, help=say("Write a page, which needs nothing else.", "写成单个网页文件。"))
@click.option("--png", type=_FILE, help=say("Write a picture.", "写成图片。"))
@click.option("--documents", is_flag=True, help=say("A point a document.", "每个点是一篇文档。"))
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="TEXT",
    help=say("Place this question, with lines to its hits.", "标出这个问题，并连线到命中的段落。"),
)
@click.option(
    "--from",
    "before",
    type=_FILE,
    metavar="MAP.html",
    help=say(
        "Leave what is on this earlier page where it is; only what is new is placed.",
        "沿用以前网页中各点的位置，只放置新内容。",
    ),
)
@click.option("--title", help=say("Above the map [default: the index].", "标题 [默认：索引名]。"))
@click.option("--dark", is_flag=True, help=say("A dark picture (a page has both).", "深色图片（网页可切换）。"))
@click.option("--font", type=_FILE, help=say("For the names in a picture.", "图片中文字的字体文件。"))
@click.option("--seed", type=click.IntRange(0), default=0, help=say("Another number, another map.", "随机种子。"))
@options("index", "embedder", "source", "type", "page", "json")
def map_(
    html: Path | None,
    png: Path | None,
    documents: bool,
    questions: tuple[str, ...],
    before: Path | None,
    title: str | None,
    dark: bool,
    font: Path | None,
    seed: int,
    index: str | None,
    embedder: str | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
) -> None:
    from rag.space.maps.layout import trustworthiness
    from rag.space.maps.map import as_documents, draw_map, with_question
    from rag.space.maps.page import read_places, write_page

    if html is None and png is None:
        raise click.UsageError(say("Give --html FILE or --png FILE.", "请给出 --html 文件 或 --png 文件。"))
    for path in filter(None, (html, png)):
        if not path.absolute().parent.is_dir():
            raise click.UsageError(say(f"There is no folder {path.parent}.", f"没有文件夹 {path.parent}。"))
    earlier = read_places(before) if before else None
    with open_points(index, _where(source, kind, page), least=3, together=True) as (store, points):
        name = title or _name(store.url)
    drawn = draw_map(points, documents, earlier, seed)
    vectors = as_documents(points).vectors if documents else points.vectors
    truth = trustworthiness(vectors, drawn.plane)
    if questions:
        with open_rag(index, embedder, "none") as rag:
            for question in questions:
                drawn = with_question(drawn, question, rag.search(question, _HITS, _where(source, kind, page)))
    if html:
        write_page(drawn, html, name, "zh" if is_chinese() else "en", truth)
    if png:
        _picture(drawn, png, name, font, dark)
    if as_json:
        _show_json(drawn, truth)
    else:
        show(_summary(drawn, truth))
        for path in filter(None, (html, png)):
            show(say(f"Written to {path}", f"已写入 {path}"))


def _name(url: str) -> str:
    """What an index is called: the end of its URL, without a user's name and word."""
    return url.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].partition("?")[0] or "ragstone"


def _picture(drawn: Map, path: Path, title: str, font: Path | None, dark: bool) -> None:
    from rag.space.maps.picture import write_picture

    words = [title, *(word for topic in drawn.topics for word in topic.name), *(a.question for a in drawn.asked)]
    font = font or picture_font(words)
    write_picture(drawn, path, title, _count(drawn), font, dark)


def _count(drawn: Map) -> str:
    sources = len({chunk.source for chunk in drawn.chunks})
    parts = [] if drawn.by_document else [(len(drawn.chunks), "passage", "个段落")]
    parts += [(sources, "document", "篇文档"), (len(drawn.topics), "topic", "个主题")]
    return " · ".join(
        say(f"{n:,} {english}{'' if n == 1 else 's'}", f"{n:,} {chinese}") for n, english, chinese in parts
    )


def _summary(drawn: Map, truth: float) -> str:
    placed = say(f"; {drawn.new:,} are new", f"；新增 {drawn.new:,} 个") if drawn.new else ""
    return _count(drawn) + placed + say(f"; trustworthiness {truth:.3f}", f"；可信度 {truth:.3f}")


def _show_json(drawn: Map, truth: float) -> None:
    show_json(
        {
            "trustworthiness": round(truth, 4),
            "new": drawn.new,
            "topics": [{"name": list(t.name), "points": t.size, "at": t.at} for t in drawn.topics],
            "points": [
                {"source": c.source, "position": c.position, "x": round(x, 5), "y": round(y, 5), "topic": topic}
                for c, (x, y), topic in zip(drawn.chunks, drawn.plane.tolist(), drawn.labels.tolist(), strict=True)
            ],
            "asked": [{"question": a.question, "at": a.at} for a in drawn.asked],
        }
    )
