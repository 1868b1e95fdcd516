"""A claim and the places that say it: one sentence, or a few together; a bare yes says nothing."""

from __future__ import annotations

import pytest

from rag.embedders.hashed import HashedEmbedder
from rag.grounding.ground import ground_claim
from rag.retrieval.gather import Asked, Evidence
from rag.retrieval.passages import Passage
from rag.retrieval.question import read_question
from rag.types import Chunk

TEXT = (
    "The mill was built in 1702 by a weaver. Its wheel turns two stones of granite. "
    "Rye comes by barge from the northern farms. Bread is sold at the gate on Fridays."
)


def places(claim: str, hashed: HashedEmbedder, question: str = "What is the mill?") -> list[str] | None:
    passage = Passage(Chunk("mill.md", TEXT, 0, len(TEXT)), 0, len(TEXT))
    evidence = Evidence(Asked(read_question(question), question), (), (passage,))
    said = ground_claim(claim, evidence, [passage], hashed)
    return said and [place.text for place in said.places]


def test_one_sentence_says_it(hashed: HashedEmbedder) -> None:
    assert places("The mill was built in 1702.", hashed) == ["The mill was built in 1702 by a weaver."]


def test_a_summary_stands_on_the_sentences_that_it_joins(hashed: HashedEmbedder) -> None:
    claim = "A weaver built it in 1702, the wheel turns two stones, and bread is sold at the gate on Fridays."
    said = places(claim, hashed, "Tell me about the mill.")
    assert said is not None
    assert "The mill was built in 1702 by a weaver." in said
    assert "Bread is sold at the gate on Fridays." in said


@pytest.mark.parametrize(
    "claim",
    [
        "Yes.",
        "不是。",
        "The mill was built in 1703.",
        "A weaver built it in 1702, the wheel turns nine stones, and bread is sold at the gate on Fridays.",
        "The mayor opens the harbour in winter.",
    ],
)
def test_what_nothing_says(claim: str, hashed: HashedEmbedder) -> None:
    assert places(claim, hashed) is None


def test_a_true_sentence_beside_the_question_is_no_answer(hashed: HashedEmbedder) -> None:
    claim = "Bread is sold at the gate on Fridays."
    assert places(claim, hashed, "When is bread sold?") == ["Bread is sold at the gate on Fridays."]
    assert places(claim, hashed, "How old was the weaver's daughter?") is None


def test_what_happened_at_another_time_is_no_answer(hashed: HashedEmbedder) -> None:
    text = "In May 2019 the mill paid 10 pounds to the town. In June it paid 30 pounds to the town."
    passage = Passage(Chunk("mill.md", text, 0, len(text)), 0, len(text))

    def said(claim: str, question: str) -> bool:
        evidence = Evidence(Asked(read_question(question), question), (), (passage,))
        return ground_claim(claim, evidence, [passage], hashed) is not None

    assert said("10 pounds", "What did the mill pay to the town in May 2019?")
    assert said("30 pounds", "What did the mill pay to the town in June 2019?")
    assert not said("10 pounds", "What did the mill pay to the town in June?")
    assert not said("10 pounds", "What did the mill pay to the town in 2020?")
    assert said("10 pounds", "What did the mill pay to the town first?")
