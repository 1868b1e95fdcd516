"""The same text in several files is one hit that names the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import RAG
from rag.retrieval.copies import fold_copies
from rag.types import Chunk

BOILER = "Warranty. The boiler is covered for 36 months from the date of purchase."
FROST = "Warranty exclusions. Damage by frost is not covered by the warranty of the boiler."
ASKED = "How long is the boiler covered?"


def chunk(text: str, source: str = "a.md", heading: str = "") -> Chunk:
    return Chunk(source, text, 0, len(text), heading=(heading,) if heading else ())


@pytest.mark.parametrize(
    ("better", "other"),
    [
        (BOILER, BOILER),
        (BOILER, BOILER.upper().replace(". ", "\n\n* ")),
        (f"Read this first. {BOILER}", BOILER),
        ("设备保养周期为三个月。每次保养后填写记录表。", "設備保養週期為三個月；每次保養後填寫記錄表"),
        ("共１２００元", "共1200元"),
    ],
)
def test_what_a_better_passage_says_is_folded_into_it(better: str, other: str) -> None:
    assert fold_copies(ASKED, [chunk(better), chunk(FROST), chunk(other)]) == [[0, 2], [1]]


@pytest.mark.parametrize(
    ("better", "other"),
    [
        (BOILER, BOILER.replace("36", "24")),
        (BOILER, BOILER.replace("is covered", "is not covered")),
        (BOILER, f"{BOILER} Call us."),
        ("The fee is $5.", "The fee is €5."),
        ("It fell by -5 degrees.", "It fell by 5 degrees."),
        ("Anna owes Bert the rent.", "Bert owes Anna the rent."),
        ("保修期为三年。", "保修期为两年。"),
    ],
)
def test_another_word_or_figure_makes_another_passage(better: str, other: str) -> None:
    assert fold_copies(ASKED, [chunk(better), chunk(other)]) == [[0], [1]]


def test_a_copy_whose_document_is_asked_for_by_name_stays() -> None:
    passages = [
        chunk(BOILER, "tern.md", "Tern 2"),
        chunk(BOILER, "wren.md", "Wren"),
        chunk(BOILER, "owl.md", "Owl"),
    ]
    assert fold_copies("Compare the warranty of the Tern 2 and the Wren", passages) == [[0, 2], [1]]
    assert fold_copies("How long is the warranty?", passages) == [[0, 1, 2]]


def test_five_hits_are_five_different_things(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(8):
        (docs / f"copy{n}.txt").write_text(BOILER, "utf-8")
    (docs / "other.txt").write_text(FROST, "utf-8")
    with RAG.open(f"faiss:{tmp_path}/index", embedder="hashed", llm="none") as rag:
        rag.ingest(docs)
        first, second = rag.search(ASKED, 5)
        assert (first.rank, second.rank, second.chunk.source, second.also) == (1, 2, "docs/other.txt", ())
        assert sorted(c.source for c in (first.chunk, *first.also)) == [f"docs/copy{n}.txt" for n in range(8)]
        assert [each["source"] for each in first.as_json()["also"]] == [c.source for c in first.also]
        assert len(rag.search(ASKED, 1)[0].also) >= 1
        assert sum(c.source.startswith("docs/copy") for c in rag.ask(ASKED).citations) == 1
