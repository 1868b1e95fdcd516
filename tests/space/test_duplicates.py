"""What is there twice is found, whatever stands between, and what differs is said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import Rag, Tree

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import SpaceError, StoreError
from rag.space.differences import Difference, find_differences
from rag.space.duplicates import find_duplicates
from rag.space.neighbours import find_neighbours
from rag.space.points import Points, read_points
from rag.types import Chunk, Document

TERMS = "The supplier delivers within {} days after the order was received, and bears the freight of all parts."


def points_of(texts: dict[str, list[str]], embedder: HashedEmbedder) -> Points:
    chunks = [Chunk(s, t, 0, len(t), i) for s, some in sorted(texts.items()) for i, t in enumerate(some)]
    documents = {s: Document(s, s, f"{s}", 1, 1, "txt", len(some)) for s, some in texts.items()}
    return Points(chunks, embedder.embed_documents([chunk.text for chunk in chunks]), documents)


def test_groups_of_passages(hashed: HashedEmbedder) -> None:
    points = points_of(
        {
            "a.txt": [TERMS.format("30"), "Cats sleep on the warm sofa all afternoon."],
            "b.txt": ["Something else entirely stands in this paragraph.", TERMS.format("45")],
            "c.txt": ["Cats sleep  on the warm\nsofa all afternoon."],
        },
        hashed,
    )
    found = find_duplicates(points, 0.85)
    assert [[(c.source, c.position) for c in group.chunks] for group in found.passages] == [
        [("a.txt", 0), ("b.txt", 1)],
        [("a.txt", 1), ("c.txt", 0)],
    ]
    assert [group.same for group in found.passages] == [False, True]
    assert 0.85 <= found.passages[0].cosine < 1
    assert found.passages[1].cosine == 1
    assert found.documents == ()


def test_a_document_with_nearly_all_of_another(hashed: HashedEmbedder) -> None:
    text = [
        f"Paragraph {n} on {word} and what {word} needs, {word} by {word}." for n, word in enumerate("abcdefghij")
    ]
    points = points_of({"new.md": [*text[:9], TERMS], "old.md": text, "other.md": text[:2]}, hashed)
    (group,) = find_duplicates(points, 0.99).documents
    assert (group.sources, group.shared, group.same) == (("new.md", "old.md"), 0.9, False)


def test_a_thousand_of_the_same(hashed: HashedEmbedder) -> None:
    points = points_of({"a.csv": ["the same row"] * 1000, "b.csv": ["one of its own"]}, hashed)
    (group,) = find_duplicates(points).passages
    assert len(group.chunks) == 1000


def test_a_chain_does_not_make_strangers_alike() -> None:
    """Each vector is near the next, the last far from the first: no group reaches beyond `above`."""
    angles = np.radians(np.arange(0, 90, 5))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chunks = [Chunk("a.txt", f"text {i}", 0, 6, i) for i in range(len(angles))]
    points = Points(chunks, vectors, {"a.txt": Document("a.txt", "a", "0", 1, 1, "txt", len(angles))})
    groups = find_duplicates(points, 0.98).passages
    assert sum(len(group.chunks) for group in groups) > len(angles) / 2
    for group in groups:
        rows = [chunk.position for chunk in group.chunks]
        assert float((vectors[rows] @ vectors[rows[0]]).min()) >= 0.98 - 1e-6


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("within 30 days", "within 45 days", [Difference("30", "45")]),
        ("保修期为24个月。", "保修期为36个月。", [Difference("24", "36")]),
        ("one  two", "one\ntwo", []),
        ("", "all new", [Difference("", "all new")]),
    ],
)
def test_differences(first: str, second: str, found: list[Difference]) -> None:
    assert find_differences(first, second) == found


def test_cells_find_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(40, 32)).repeat(50, axis=0)
    vectors = (centres + 0.3 * draw.normal(size=centres.shape)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    exact = find_neighbours(vectors, 5)
    assert (exact.rows != np.arange(2000)[:, None]).all()
    monkeypatch.setattr("rag.space.neighbours.EXACT", 100)
    cells = find_neighbours(vectors, 5)
    assert np.mean([len(set(a) & set(b)) / 5 for a, b in zip(exact.rows, cells.rows, strict=True)]) > 0.95


def test_command(tree: Tree, url: str, run_rag: Rag, hashed: HashedEmbedder) -> None:
    folder = tree({"a.txt": TERMS.format("30"), "b.txt": TERMS.format("45"), "copy/b.txt": TERMS.format("45")})
    with RAG.open(url, embedder=hashed, llm="none") as rag:
        rag.ingest(folder)
    done = run_rag("duplicates", "--index", url, "--above", "0.8")
    assert (done.returncode, done.stderr) == (0, "")
    assert "− 30" in done.stdout
    assert "+ 45" in done.stdout
    assert "1 groups of documents" in done.stdout
    found = json.loads(run_rag("duplicates", "--index", url, "--above", "0.8", "--json").stdout)
    assert len(found["passages"][0]["passages"]) == 3
    assert [each["sources"] for each in found["documents"]] == [["docs/a.txt", "docs/b.txt", "docs/copy/b.txt"]]


def test_bad_input(rag: RAG, hashed: HashedEmbedder) -> None:
    with pytest.raises(SpaceError, match=r"at most at 1, not 1\.5"):
        find_duplicates(read_points(rag.store), 1.5)
    with pytest.raises(SpaceError, match="too few"):
        read_points(rag.store, least=1000)
    with pytest.raises(StoreError, match="cannot be read out"):
        read_points(_Mute())  # type: ignore[arg-type]


class _Mute:
    """A store that does not give its vectors."""

    url = "pinecone://somewhere"
