"""A misspelt word finds what was meant, where the word itself is nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rag import RAG
from rag.retrieval.typos import mend_terms
from rag.text import search_terms

TEXT = "You receive a replacement valve under warranty. The separate invoice is sent to the accommodation address."


def rarities(terms: Sequence[str]) -> list[float]:
    held = set(search_terms(TEXT))
    return [0.5 if term in held else 1.0 for term in terms]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("When do I recieve the invoice", "When do I receive the invoice"),
        ("Is the warrenty for a valve", "Is the warranty for a valve"),
        ("the accomodation address", "the accommodation address"),
        ("a seperate invoice", "a separate invoice"),
        ("the invoices adress", "the invoice address"),
    ],
)
def test_one_wrong_letter_is_mended(asked: str, meant: str) -> None:
    assert mend_terms(search_terms(asked), rarities) == search_terms(meant)


@pytest.mark.parametrize(
    "asked",
    [
        "When do I receive the invoice",
        "Is the warranty for a hippopotamus",  # nothing like it is there
        "the vlave of E-04 costs 12",  # too short to be sure
        "Wann kommt meine Rechung",  # another language
        "密马在哪里",
    ],
)
def test_all_else_is_left_as_it_is(asked: str) -> None:
    assert mend_terms(search_terms(asked), rarities) == search_terms(asked)


def test_a_misspelt_question_scores_as_the_right_one(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text(TEXT, "utf-8")
    (docs / "b.txt").write_text("Something else entirely is written in this file.", "utf-8")
    with RAG.open(f"faiss:{tmp_path}/index", embedder="hashed", llm="none") as rag:
        rag.ingest(docs)
        right, wrong = (rag.search(f"who will {word} the valve", 1)[0] for word in ("receive", "recieve"))
    assert wrong.chunk.source == "docs/a.txt"
    assert wrong.lexical == right.lexical
