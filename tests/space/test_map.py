"""Maps: near in meaning lies near, the same twice, new points among old ones that stay, a page that is whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Rag, Tree
from PIL import Image
from sklearn.manifold import trustworthiness as theirs

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import SpaceError
from rag.space import draw_map, lay_out, place, read_places, trustworthiness, with_question, write_page
from rag.space.maps.colours import choose_colours
from rag.space.maps.fonts import find_font
from rag.space.maps.picture import SIDE, write_picture
from rag.space.points import Points
from rag.types import Chunk, Document, Hit, Vectors

ABOUT = ("coffee grinder espresso beans", "tulip compost pruning mulch", "税 发票 报销 工资")


def groups(each: int = 40) -> Vectors:
    """Three groups of vectors, row by row in turn."""
    draw = np.random.default_rng(1)
    middles = np.eye(3, 24)
    vectors = np.vstack([middles[i % 3] + draw.normal(0, 0.1, 24) for i in range(3 * each)])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def points(each: int = 40, base: str = "/docs") -> Points:
    vectors = groups(each)
    chunks = [
        Chunk(f"{'abc'[i % 3]}.md", f"{ABOUT[i % 3]} {i}</script>", 0, 9, i // 3, heading=("标题",))
        for i in range(len(vectors))
    ]
    documents = {f"{s}.md": Document(f"{s}.md", f"{base}/{s} 号.md", s, 1, 1, "markdown", each) for s in "abc"}
    return Points(chunks, vectors, documents)


def own_group(plane: np.ndarray) -> float:
    """The share of points whose nearest other point is of their group."""
    apart = np.linalg.norm(plane[:, None] - plane, axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((apart.argmin(axis=1) % 3 == np.arange(len(plane)) % 3).mean())


@pytest.mark.parametrize("large", [False, True])
def test_near_in_meaning_lies_near_and_the_same_twice(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.space.maps.layout.LARGE", 50 if large else 5000)
    vectors = groups()
    plane = lay_out(vectors)
    assert own_group(plane) == 1
    assert (plane == lay_out(vectors)).all()
    assert trustworthiness(vectors, plane, k=10) > 0.9
    assert trustworthiness(vectors, plane, k=10) == pytest.approx(
        theirs(vectors, plane, n_neighbors=10, metric="cosine"), abs=1e-6
    )


@pytest.mark.parametrize("n", [3, 4, 9, 12])
def test_few_points(n: int) -> None:
    plane = lay_out(groups()[:n])
    assert plane.shape == (n, 2)
    assert len(np.unique(plane.round(6), axis=0)) == n


def test_equal_points() -> None:
    assert np.isfinite(lay_out(np.ones((20, 4), np.float32) / 2)).all()


def test_new_points_go_to_their_like() -> None:
    vectors = groups()
    plane = lay_out(vectors[:90])
    placed = place(vectors[90:], vectors[:90], plane)
    assert own_group(np.vstack([plane, placed])) > 0.95


def test_earlier_places_stay(tmp_path: Path) -> None:
    all_points = points()
    fewer = Points(all_points.chunks[:90], all_points.vectors[:90], all_points.documents)
    write_page(draw_map(fewer), tmp_path / "map.html", "Notes", "en", 0.9)
    earlier = read_places(tmp_path / "map.html")
    later = draw_map(all_points, earlier=earlier)
    assert later.new == 30
    write_page(later, tmp_path / "later.html", "Notes", "en", 0.9)
    again = read_places(tmp_path / "later.html")
    assert len(earlier) == 90
    assert {key: again[key] for key in earlier} == earlier
    with pytest.raises(SpaceError, match="shows 0 of these points"):
        draw_map(Points([*(Chunk("z.md", str(i), 0, 1) for i in range(9))], groups()[:9], {}), earlier=earlier)


def test_the_page_is_whole(tmp_path: Path) -> None:
    drawn = with_question(draw_map(points(base=str(tmp_path / "docs"))), "bean?", [])
    assert drawn.asked == ()
    hits = [Hit(1, 0.9, drawn.chunks[0], 0.9), Hit(2, 0.3, drawn.chunks[1], 0.3)]
    drawn = with_question(drawn, "bean?", hits)
    assert np.linalg.norm(np.array(drawn.asked[0].at) - drawn.plane[0]) < 0.01
    assert drawn.asked[0].hits == (0, 1)
    write_page(drawn, tmp_path / "map.html", "<b>Notes</b>", "zh", 0.9)
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("</script>") == 3
    words = unpacked(page)
    assert words["title"] == "<b>Notes</b>"
    assert words["sources"][0] == ["a.md", "./docs/a%20%E5%8F%B7.md"]
    assert words["passages"][0] == [0, 0, "标题", drawn.chunks[0].text]
    assert sorted(topic["size"] for topic in words["topics"]) == [40, 40, 40]


def unpacked(page: str) -> dict[str, object]:
    import base64
    import gzip

    (held,) = re.findall(r'<script id="words" type="text/plain">([^<]*)</script>', page)
    found: dict[str, object] = json.loads(gzip.decompress(base64.b64decode(held)))
    return found


@pytest.mark.parametrize("content", ["", "<html>", '<script id="points" type="text/plain">AAAA</script>'])
def test_what_is_no_map(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.html").write_text(content)
    with pytest.raises(SpaceError, match=r"x\.html is no map"):
        read_places(tmp_path / "x.html")
    with pytest.raises(SpaceError, match="cannot be read"):
        read_places(tmp_path / "missing.html")


def test_picture(tmp_path: Path) -> None:
    drawn = draw_map(points())
    write_picture(drawn, tmp_path / "map.png", "Notes", "120 passages", None)
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.size[0] == SIDE
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}
    assert {topic.colour for topic in drawn.topics} <= colours
    if font := find_font():
        write_picture(drawn, tmp_path / "dark.png", "笔记", "120 个段落", font, dark=True)
        assert (tmp_path / "dark.png").read_bytes() != (tmp_path / "map.png").read_bytes()
    with pytest.raises(SpaceError, match=r"font .* cannot be read"):
        write_picture(drawn, tmp_path / "x.png", "", "", ROOT / "README.md")
    with pytest.raises(SpaceError, match="cannot be written"):
        write_picture(drawn, tmp_path / "none" / "x.png", "", "", None)


def test_colours_beside_each_other_differ() -> None:
    places = [(x / 6, y / 6) for x in range(6) for y in range(6)]
    colours = np.array(choose_colours(places), float)
    for i, at in enumerate(places):
        for j in range(i):
            if np.hypot(at[0] - places[j][0], at[1] - places[j][1]) < 0.2:
                assert np.abs(colours[i] - colours[j]).sum() > 40


def test_command(tree: Tree, url: str, run_rag: Rag, hashed: HashedEmbedder, tmp_path: Path) -> None:
    folder = tree({f"{n}-{i}.txt": f"{words} {i}" for n, words in enumerate(ABOUT) for i in range(8)})
    with RAG.open(url, embedder=hashed, llm="none") as rag:
        rag.ingest(folder)
    page, picture = tmp_path / "m.html", tmp_path / "m.png"
    done = run_rag(
        "map", "--index", url, "--html", page, "--png", picture, "--question", "espresso beans", "--json"
    )
    found = json.loads(done.stdout)
    assert (len(found["points"]), len(found["asked"]), found["new"]) == (24, 1, 0)
    assert page.stat().st_size > 10_000
    assert picture.read_bytes().startswith(b"\x89PNG")
    with RAG.open(url, embedder=hashed, llm="none") as rag:
        rag.ingest(tree({"new.txt": "espresso beans grinder"}, "more"))
    done = run_rag("map", "--index", url, "--html", page, "--from", page)
    assert "25 passages" in done.stdout
    assert "1 are new" in done.stdout
    assert run_rag("map", "--index", url).returncode == 2
    done = run_rag("map", "--index", url, "--html", page, "--source", "new.txt")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "too few" in done.stderr
