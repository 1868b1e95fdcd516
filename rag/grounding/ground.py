"""A claim to the places that say it, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from rag.embedders import Embedder
from rag.grounding._tuned import DATED_BY, JOINT_COVERAGE, JOINT_PLACES, JOINT_TERMS, TRIED
from rag.grounding.entailment import agrees
from rag.grounding.support import find_supports, without_yes_no
from rag.grounding.topic import speaks_of_it
from rag.retrieval.gather import Evidence
from rag.retrieval.passages import Passage, sentences_before
from rag.text import content_terms, find_numbers, language, split_sentences, split_terms
from rag.text.values import find_months

__all__ = ["Statement", "ground_claim"]

_ACCORDING = re.compile(
    r"^(?:according to|based on|in)\b[^,]{0,120}?report[^,]*,|^(?:根据|按照|结合)[^，]{0,60}，", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What is said, and the places that say so."""

    text: str
    places: tuple[Passage, ...]


def ground_claim(
    claim: str, evidence: Evidence, passages: Sequence[Passage], embedder: Embedder
) -> Statement | None:
    """`claim` with the places among `passages` that say it, or None: a bare yes or no says nothing.

    What answers a question in a sentence must speak of what is asked as well: a true sentence may be beside it.
    """
    if not content_terms(without_yes_no(claim)):
        return None
    question = evidence.question
    found = islice(find_supports(claim, question.text, passages, embedder), TRIED)
    tried: list[tuple[Passage, ...]] = [(Passage(passages[s.passage].chunk, s.start, s.end),) for s in found]
    for places in (*tried, _joint(claim, question.text, passages)):
        said = bool(places) and _holds(claim, places, question.text)
        if said and (not question.is_short or speaks_of_it(evidence, places)):
            return Statement(claim, places)
    return None


def _holds(claim: str, places: Sequence[Passage], question: str) -> bool:
    """Whether `places` say `claim`, in its months too: a question may name a month in which nothing happened."""
    said = "\n".join(place.text for place in places)
    above = "\n".join(places[0].chunk.heading)
    before = "\n".join(sentences_before(place, DATED_BY) for place in places)
    dated = find_months(_ACCORDING.sub("", claim)) <= find_months(f"{above}\n{before}\n{said}")
    return dated and agrees(claim, said, f"{above}\n{question}")


def _joint(claim: str, question: str, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The few sentences that say a long claim together, in order of reading; () where they do not.

    A summary joins what stands apart. Each sentence that is taken brings words that those before it lack, and
    every number of the claim is in one of them.
    """
    wanted = content_terms(claim) - content_terms(question)
    if len(wanted) < JOINT_TERMS:
        return ()
    figures = find_numbers(claim) - find_numbers(question)
    pool = [
        Passage(p.chunk, p.start + a, p.start + b)
        for p in passages
        if language(p.text) == language(claim)
        for a, b in split_sentences(p.text)
    ]
    held = [
        (set(split_terms(" ".join((*p.chunk.heading, p.text)))) & wanted, find_numbers(p.text) & figures)
        for p in pool
    ]
    chosen: list[int] = []
    terms: set[str] = set()
    numbers: set[str] = set()
    for _ in range(JOINT_PLACES):
        gains = [len(t - terms) + 3 * len(n - numbers) for t, n in held]
        best = max(range(len(pool)), key=gains.__getitem__, default=-1)
        if best < 0 or gains[best] < 2:
            break
        chosen.append(best)
        terms |= held[best][0]
        numbers |= held[best][1]
    if len(terms) < JOINT_COVERAGE * len(wanted) or figures - numbers:
        return ()
    return tuple(pool[i] for i in sorted(chosen))
