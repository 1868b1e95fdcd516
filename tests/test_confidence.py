"""The probability that the documents answer: what moves it, and which way."""

from __future__ import annotations

import math

import pytest

from rag.confidence import confidence, coverage, doubt, lead
from rag.evidence import Passage
from rag.types import Chunk, Hit

NONE = ("NONE", "无")


def passage(text: str, heading: tuple[str, ...] = ()) -> Passage:
    return Passage(Chunk("a.md", text, 0, len(text), heading=heading), 0, len(text))


@pytest.mark.parametrize(
    ("likeliest", "expected"),
    [
        ({}, None),
        ({"NONE": math.log(0.7), "The": math.log(0.3)}, 0.7),
        ({" none": math.log(0.2), "NO": math.log(0.1), "N": math.log(0.5)}, 0.3),
        ({"无": math.log(0.4), "无锡": math.log(0.5)}, 0.4),
        ({"The": 0.0}, 0.0),
    ],
)
def test_doubt_is_the_weight_of_refusals_among_first_tokens(
    likeliest: dict[str, float], expected: float | None
) -> None:
    assert doubt(likeliest, NONE) == (None if expected is None else pytest.approx(expected))


def test_coverage_counts_terms_that_stand_together() -> None:
    question = "How long is the warranty of the Tern?"  # long, warranty, tern
    apart = passage("The Tern is a machine. It is red. It has a pump. A warranty is a promise.")
    assert coverage(question, [apart]) == pytest.approx(1 / 3)
    assert coverage(question, [passage("The Tern is new. Its warranty is two years.")]) == pytest.approx(2 / 3)
    assert coverage(question, [passage("The warranty is two years.", ("Tern",))]) == pytest.approx(2 / 3)
    assert coverage(question, []) == 0.0


def test_a_translated_question_needs_more() -> None:
    found = confidence(0.5, 0.1, 0.8, 0.1, "latin")
    assert confidence(0.5, 0.1, 0.8, 0.1, "latin", translated=True) < found


def test_across_languages_coverage_says_nothing() -> None:
    assert coverage("保修期多久？", [passage("The warranty is two years.")]) is None
    assert coverage("保修期多久？", [passage("The warranty is two years."), passage("保修期两年。")]) is not None


def hits(*found: tuple[float, str]) -> list[Hit]:
    return [
        Hit(rank, score, Chunk(f"{rank}.md", text, 0, len(text)))
        for rank, (score, text) in enumerate(found, start=1)
    ]


def test_the_lead_is_over_the_next_hit_that_has_little_to_do_with_the_question() -> None:
    question = "How long is the warranty of the Tern?"
    best = (0.5, "The warranty of the Tern is two years long.")
    assert lead(question, hits(best, (0.42, "The Heron is heavy."))) == pytest.approx(0.08)
    copy = (0.49, "Long is the warranty, the Tern's, of two years.")
    assert lead(question, hits(best, copy, (0.42, "The Heron is heavy."))) == pytest.approx(0.08)


def test_a_lead_is_bounded_and_nothing_to_compare_with_is_neither_good_nor_bad() -> None:
    question = "How long is the warranty of the Tern?"
    best = (0.9, "The warranty of the Tern is two years long.")
    assert lead(question, hits(best, (0.1, "The Heron is heavy."))) == pytest.approx(0.15)
    assert 0 < lead(question, hits(best)) < 0.15
    assert lead(question, hits(best)) == lead(question, hits(best, best))


def test_confidence_rises_with_what_was_found_and_falls_with_doubt() -> None:
    assert (
        0
        < confidence(0.1, 0.05, 0.2, 0.5, "latin")
        < confidence(0.5, 0.05, 0.2, 0.5, "latin")
        < confidence(0.5, 0.15, 0.2, 0.5, "latin")
        < confidence(0.5, 0.15, 0.9, 0.5, "latin")
        < 1
    )
    assert confidence(0.3, 0.05, 0.5, 0.9, "latin") < confidence(0.3, 0.05, 0.5, 0.1, "latin")
    assert confidence(0.3, 0.05, None, 0.9, "latin") < 0.5 < confidence(0.3, 0.05, None, 0.01, "latin")
    assert confidence(0.3, 0.05, 0.5, 0.1, "latin") < confidence(0.3, 0.05, 0.5, 0.1, "other")
    assert confidence(0.3, 0.05, 0.5, 0.0, "latin") < 1
    assert confidence(0.3, 0.05, 0.5, 1.0, "latin") > 0
