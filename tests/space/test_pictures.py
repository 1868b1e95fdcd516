"""Pictures beside texts in an index: as sources, found by texts, finding texts, on the map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.tinyclip import COLOURS, picture, tiny_clip

from rag import RAG
from rag.embedders.clip import ClipEmbedder
from rag.embedders.hashed import HashedEmbedder
from rag.errors import SpaceError
from rag.space import draw_map, find_similar, find_topics, read_points, write_page
from rag.space.maps.page import _unpacked
from rag.types import Where


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> RAG:
    """Pictures of four colours, whose names say nothing, a text of each, and a broken picture."""
    base = tmp_path_factory.mktemp("pictures")
    clip = ClipEmbedder.load(str(tiny_clip(base / "clip")))
    docs, draw = base / "docs", np.random.default_rng(3)
    docs.mkdir()
    for i, (name, colour) in enumerate(COLOURS.items()):
        picture(colour, draw).save(docs / f"photo {i}.jpg")
        (docs / f"{name}.txt").write_text(name)
    (docs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    rag = RAG.open(index=f"faiss:{base / 'index'}", embedder=clip, llm="none")
    report = rag.ingest(docs)
    assert (report.added, [each["source"] for each in report.failed]) == (8, ["docs/broken.png"])
    return rag


def test_a_picture_is_a_source_with_its_size(opened: RAG) -> None:
    document = opened.store.documents()["docs/photo 0.jpg"]
    assert (document.type, document.chunks) == ("image", 1)
    [[chunk]] = [opened.store.rows("docs/photo 0.jpg")[1]]  # type: ignore[attr-defined]
    assert chunk.text.startswith("photo 0 (JPG, ") and " × " in chunk.text


def test_texts_find_pictures_and_pictures_texts(opened: RAG) -> None:
    for i, name in enumerate(COLOURS):
        [hit] = find_similar(opened.store, opened.embedder, [name], k=1, where=Where(type="image"))
        assert hit.source == f"docs/photo {i}.jpg"
        path = opened.store.documents()[hit.source].path
        [back] = find_similar(opened.store, opened.embedder, [path], k=1, where=Where(type="text"))
        assert back.source == f"docs/{name}.txt"
    assert opened.search("blue", 1, Where(type="image"))[0].source == "docs/photo 2.jpg"


def test_a_picture_needs_an_embedder_that_sees(opened: RAG) -> None:
    path = opened.store.documents()["docs/photo 0.jpg"].path
    with pytest.raises(SpaceError, match="knows no pictures: ingest with --embedder clip:NAME"):
        find_similar(opened.store, HashedEmbedder(), [path])


def test_the_map_shows_pictures_among_the_texts(opened: RAG, tmp_path: Path) -> None:
    apart, points = read_points(opened.store), read_points(opened.store, together=True)
    seen = np.array([points.documents[chunk.source].type == "image" for chunk in points.chunks])
    gap = [np.linalg.norm(v[seen].mean(axis=0) - v[~seen].mean(axis=0)) for v in (apart.vectors, points.vectors)]
    assert gap[1] < 0.5 * gap[0]
    find_topics(points)
    write_page(draw_map(points), page := tmp_path / "map.html", "pictures", "en", 1.0)
    packed = page.read_text(encoding="utf-8").split('<script id="words" type="text/plain">')[1].partition("<")[0]
    words = json.loads(_unpacked(packed))
    shown = {words["sources"][int(row)][0] for row in words["pictures"]}
    assert shown == {f"docs/photo {i}.jpg" for i in range(4)}
    assert all(each.startswith("data:image/jpeg;base64,") for each in words["pictures"].values())
