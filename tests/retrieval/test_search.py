"""Two rankings made one: the values, and the search over an index."""

from __future__ import annotations

import pytest

from rag import RAG, Where
from rag.retrieval.fusion import fuse
from rag.retrieval.search import Weights
from rag.text import search_terms
from rag.types import Scored


def scored(**scores: float) -> list[Scored]:
    return [Scored(ord(name), score) for name, score in scores.items()]


def fused(dense: list[Scored], lexical: list[Scored], weight: float, n: int) -> dict[str, float]:
    return {chr(s.id): round(s.score, 6) for s in fuse(dense, lexical, weight, n)}


def test_fuse_adds_by_weight() -> None:
    found = fused(scored(a=0.8, b=0.6), scored(b=0.9, a=0.1), 0.6, 10)
    assert found == {"b": 0.6 * 0.6 + 0.4 * 0.9, "a": pytest.approx(0.6 * 0.8 + 0.4 * 0.1)}
    assert list(found) == ["b", "a"]


def test_what_a_side_did_not_return_scores_as_its_last_where_it_may_have_more() -> None:
    found = fused(scored(a=0.8, b=0.5), scored(c=0.9), 0.5, 2)
    assert found == {"c": 0.25 + 0.45, "a": 0.4, "b": 0.25}


def test_what_a_side_that_returned_all_did_not_return_scores_nothing() -> None:
    assert fused(scored(a=0.8), scored(c=0.9), 0.5, 2) == {"c": 0.45, "a": 0.4}


def test_scores_stay_in_their_bounds() -> None:
    assert fused(scored(a=-0.4), [], 1.0, 5) == {"a": 0.0}
    assert fused(scored(a=1.2), scored(a=1.00001), 0.5, 5) == {"a": 1.0}


def test_equals_in_order_of_id_and_nothing_of_nothing() -> None:
    assert list(fused(scored(b=0.5, a=0.5), [], 0.5, 9)) == ["a", "b"]
    assert fuse([], [], 0.5, 5) == []


def test_the_weight_is_by_script() -> None:
    weights = Weights(latin=0.7, other=0.2)
    assert weights.of("How long?") == 0.7
    assert weights.of("保修期多久？") == 0.2


def test_search(rag: RAG) -> None:
    hits = rag.search("When does the car park open?", 3)
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert hits[0].chunk.source == "notes/office.md"
    assert hits[0].chunk.heading == ("Office", "Parking")
    assert 1 >= hits[0].score > hits[1].score >= hits[2].score >= 0
    weight = rag.settings.dense_weight_latin
    assert hits[0].dense is not None and hits[0].lexical is not None
    assert hits[0].score == pytest.approx(weight * hits[0].dense + (1 - weight) * hits[0].lexical)


def test_search_in_chinese(rag: RAG) -> None:
    hits = rag.search("保修期是多久？", 1)
    assert [hit.chunk.source for hit in hits] == ["notes/保修.md"]
    assert "二十四个月" in hits[0].chunk.text


def test_a_question_without_a_known_word_scores_low(rag: RAG) -> None:
    assert rag.store.lexical(search_terms("zebra quagga"), 5) == []
    assert all(hit.lexical is None for hit in rag.search("zebra quagga", 5))


@pytest.mark.parametrize(
    ("where", "sources"),
    [
        (Where(source="*/保修.md"), {"notes/保修.md"}),
        (Where(type="csv"), {"notes/people.csv"}),
        (Where(type="pdf"), set()),
        (Where(source="notes/*.md"), {"notes/保修.md", "notes/office.md"}),
    ],
)
def test_filters(rag: RAG, where: Where, sources: set[str]) -> None:
    assert {hit.chunk.source for hit in rag.search("warranty", 50, where)} == sources


def test_more_than_there_is(rag: RAG) -> None:
    documents = rag.store.documents().values()
    assert len(rag.search("warranty", 500)) == sum(document.chunks for document in documents)
