"""The probability that the documents answer: what moves it, and which way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from rag.embedders.hashed import HashedEmbedder
from rag.grounding.confidence import AnswerabilityFeatures, confidence, extract_features, score_margin
from rag.grounding.refusal import refusal_probability
from rag.retrieval.passages import Passage
from rag.stores import Store
from rag.text import search_terms
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
    assert refusal_probability(likeliest, NONE) == (None if expected is None else pytest.approx(expected))


class Rare:
    """A store in which the words of `common` are half as rare as all others."""

    def __init__(self, *common: str) -> None:
        self._common = common

    def rarities(self, terms: Sequence[str]) -> list[float]:
        return [0.5 if term in self._common else 1.0 for term in terms]


def seen(
    question: str, *texts: str, heading: tuple[str, ...] = (), common: Sequence[str] = ()
) -> AnswerabilityFeatures:
    """What is seen where each of `texts` is a hit and all of it is read."""
    passages = [passage(text, heading) for text in texts]
    found = [Hit(rank, 0.5, p.chunk) for rank, p in enumerate(passages, start=1)]
    return extract_features(question, found, passages, HashedEmbedder(), cast(Store, Rare(*common)))


QUESTION = "How long is the warranty of the Tern?"  # long, warranty, tern


def test_closeness_is_one_sentences_and_its_headings() -> None:
    apart = seen(QUESTION, "The Tern is a machine. It is red. It has a pump. A warranty is a promise.").closeness
    together = seen(QUESTION, "It is red. The warranty of the Tern lasts two years.").closeness
    below = seen(QUESTION, "It is red. The warranty lasts two years.", heading=("Tern",)).closeness
    assert apart is not None
    assert together is not None
    assert below is not None
    assert apart < below <= together < 2
    embed = HashedEmbedder().embed_documents
    only = embed(["Tern."]) @ embed([QUESTION])[0]
    assert seen(QUESTION, "Tern.").closeness == pytest.approx(only[0] + 1 / 3)
    assert seen(QUESTION, "Tern.", common=["tern"]).closeness == pytest.approx(only[0] + 0.2)


def test_what_no_chunk_has_is_missing_by_its_rarity() -> None:
    assert seen(QUESTION, "The warranty of the Tern is long.").missing == pytest.approx(0)
    assert seen(QUESTION, "The Tern.", "A long warranty.").missing == pytest.approx(1 / 3)
    halved = seen(QUESTION, "The Tern.", "A long warranty.", common=search_terms("long warranty"))
    assert halved.missing == pytest.approx(0.5)
    assert seen(QUESTION, "The Heron.").missing == pytest.approx(1)
    assert seen("What is it?", "The Heron.").missing == 1


def test_another_form_of_a_word_is_not_missing() -> None:
    asked = "Which warranties cover pumps?"
    assert seen(asked, "The warranty covered the pump.").missing == pytest.approx(0)
    assert seen(asked, "The warranty covered it.").missing == pytest.approx(1 / 3)


def test_the_rarity_is_the_mean_of_the_questions_terms() -> None:
    assert seen(QUESTION, "The Heron.").rarity == pytest.approx(1)
    assert seen(QUESTION, "The Heron.", common=["long"]).rarity == pytest.approx(5 / 6)
    assert seen("What is it?", "The Heron.").rarity == 0


def test_a_translated_question_is_not_held_to_its_words() -> None:
    found = AnswerabilityFeatures(0.5, 0.1, 1.2, 0.6, 0.2)
    assert confidence(found, 0.1, "latin", translated=True) > confidence(found, 0.1, "latin")


def test_across_languages_closeness_says_nothing() -> None:
    assert seen("保修期多久？", "The warranty is two years.").closeness is None
    assert seen("保修期多久？", "The warranty is two years.", "保修期两年。").closeness is not None


def hits(*found: tuple[float, str]) -> list[Hit]:
    return [
        Hit(rank, score, Chunk(f"{rank}.md", text, 0, len(text)))
        for rank, (score, text) in enumerate(found, start=1)
    ]


def test_the_lead_is_over_the_next_hit_that_has_little_to_do_with_the_question() -> None:
    question = "How long is the warranty of the Tern?"
    best = (0.5, "The warranty of the Tern is two years long.")
    assert score_margin(question, hits(best, (0.42, "The Heron is heavy."))) == pytest.approx(0.08)
    copy = (0.49, "Long is the warranty, the Tern's, of two years.")
    assert score_margin(question, hits(best, copy, (0.42, "The Heron is heavy."))) == pytest.approx(0.08)


def test_a_lead_is_bounded_and_nothing_to_compare_with_is_neither_good_nor_bad() -> None:
    question = "How long is the warranty of the Tern?"
    best = (0.9, "The warranty of the Tern is two years long.")
    assert score_margin(question, hits(best, (0.1, "The Heron is heavy."))) == pytest.approx(0.15)
    assert 0 < score_margin(question, hits(best)) < 0.15
    assert score_margin(question, hits(best)) == score_margin(question, hits(best, best))


def test_confidence_rises_with_what_was_found_and_falls_with_doubt() -> None:
    found = AnswerabilityFeatures(0.3, 0.05, 0.9, 0.6, 0.5)
    sure = confidence(found, 0.1, "latin")
    assert 0 < sure < 1
    better = {"score_margin": 0.15, "closeness": 1.4, "rarity": 0.7, "missing": 0.1}
    for name, value in better.items():
        assert confidence(replace(found, **{name: value}), 0.1, "latin") > sure, name
    assert confidence(found, 0.9, "latin") < sure < confidence(found, 0.1, "other")
    assert 0 < confidence(found, 1.0, "latin") < sure < confidence(found, 0.0, "latin") < 1
    across = AnswerabilityFeatures(0.3, 0.05, None, 0.6, 1.0)
    assert confidence(across, 0.9, "latin") < 0.5 < confidence(across, 0.01, "latin")
