"""The sample folder and its questions, with the default models: does search bring the right file and page?"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import ROOT

from ingest.discover import discover
from ingest.loaders import load
from rag import RAG, Hit
from rag.evaluation.metrics import contains

DOCS = ROOT / "data" / "docs"
QUESTIONS: list[dict[str, Any]] = tomllib.loads((ROOT / "data" / "questions.toml").read_text(encoding="utf-8"))[
    "question"
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
PLAIN = [question for question in ANSWERABLE if not question.get("cross")]
CROSS = [question for question in ANSWERABLE if question.get("cross")]

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def sample(sample_index: str) -> Iterator[RAG]:
    with RAG.open(sample_index, llm="none") as opened:
        yield opened


@pytest.fixture(scope="module")
def found(sample: RAG) -> dict[str, list[Hit]]:
    return {question["id"]: sample.search(question["question"], 10) for question in QUESTIONS}


def right(hit: Hit, question: dict[str, Any]) -> bool:
    """Whether a hit is of the source that holds the answer."""
    return hit.chunk.source == f"docs/{question['source']}"


def holds(hit: Hit, question: dict[str, Any]) -> bool:
    """Whether the answer stands in a hit, on the right page."""
    return (
        right(hit, question)
        and hit.chunk.page == question.get("page")
        and any("".join(answer.split()) in "".join(hit.chunk.text.split()) for answer in question["answers"])
    )


def missed(found: dict[str, list[Hit]], questions: list[dict[str, Any]], k: int, test: Any) -> list[str]:
    return [q["id"] for q in questions if not any(test(hit, q) for hit in found[q["id"]][:k])]


def test_the_questions_are_sound() -> None:
    """Each answer stands in the file, and on the page, that is named for it."""
    ids = [question["id"] for question in QUESTIONS]
    assert len(ids) == len(set(ids))
    assert len(ANSWERABLE) < len(QUESTIONS)
    for question in ANSWERABLE:
        pages = list(load(DOCS / question["source"]))
        if "page" in question:
            pages = [page for page in pages if page.number == question["page"]]
        assert any(contains(page.text, question["answers"]) for page in pages), question["id"]


def test_drafts_are_not_in_the_index(sample: RAG) -> None:
    files = {f"docs/{file.name}" for file in discover(DOCS).files}
    assert set(sample.store.documents()) == files
    assert not any(name.startswith("docs/drafts/") for name in files)


def test_in_one_language_the_source_is_among_the_first_five(found: dict[str, list[Hit]]) -> None:
    assert missed(found, PLAIN, 5, right) == []
    assert missed(found, PLAIN, 5, holds) == []


def test_in_one_language_the_source_comes_first(found: dict[str, list[Hit]]) -> None:
    assert len(missed(found, PLAIN, 1, right)) <= 3


def test_across_languages_the_source_is_among_the_first_five(found: dict[str, list[Hit]]) -> None:
    assert len(CROSS) >= 4
    assert len(missed(found, CROSS, 5, right)) <= len(CROSS) // 4


def test_recall(found: dict[str, list[Hit]]) -> None:
    assert len(missed(found, ANSWERABLE, 5, right)) <= 0.1 * len(ANSWERABLE)


def test_pages(found: dict[str, list[Hit]]) -> None:
    """Of a file with pages, the right page is among the first five hits."""
    paged = [question for question in PLAIN if "page" in question]
    assert len(paged) >= 8
    assert missed(found, paged, 5, lambda hit, q: right(hit, q) and hit.chunk.page == q["page"]) == []


def test_a_page_filter(sample: RAG) -> None:
    from rag import Where

    hits = sample.search("燕鸥 2 每用水多少升会提示除垢？", 5, Where(type="pdf", pages=(6, 6)))
    assert {(hit.chunk.source, hit.chunk.page) for hit in hits} == {("docs/manuals/燕鸥2使用说明书.pdf", 6)}


def test_every_chunk_stands_in_its_page(sample: RAG) -> None:
    """Offsets through the store: what is cited can be found in the file."""
    texts = {
        f"docs/{file.name}": {(page.number, page.label): page.text for page in load(file.path)}
        for file in discover(DOCS).files
    }
    for question in QUESTIONS[:20]:
        for hit in sample.search(question["question"], 50):
            chunk = hit.chunk
            pages = [text for (number, _), text in texts[chunk.source].items() if number == chunk.page]
            assert any(text[chunk.start : chunk.end] == chunk.text for text in pages)
