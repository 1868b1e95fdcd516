"""Evidence to sentences: the model speaks, and of what it says the sentences remain that a passage supports."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.answering._tuned import ALIKE, ELSEWHERE, LIKE_BEST, LONGEST, MOST_BESIDES, MOST_OF_FACT, NEWS, SURE
from rag.answering.claims import peek, split_claims
from rag.answering.draft import Draft
from rag.answering.prompt import messages
from rag.answering.translate import translate_claim
from rag.config import Settings
from rag.embedders import Embedder
from rag.grounding.confidence import confidence, confidence_of_doubt, extract_features
from rag.grounding.conflicts import resolve_conflict
from rag.grounding.ground import ground_claim
from rag.grounding.refusal import BESIDES, NO_ANSWER, is_refusal, refusal_probability
from rag.grounding.topic import on_topic
from rag.llms import LLM, Piece
from rag.llms.profile import profile_of
from rag.retrieval.evidence import rank_sentences
from rag.retrieval.gather import Evidence
from rag.retrieval.passages import Passage
from rag.stores import Store
from rag.text import content_terms

__all__ = ["Tools", "generate"]

DETAILED = ("summary", "why", "steps")
"""Kinds of question of which a reader wants to know more than a small model says."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What an answer is made with."""

    store: Store
    embedder: Embedder
    llm: LLM
    settings: Settings


@dataclass(frozen=True, slots=True)
class _Part:
    """The part of an answer that is being made: what it goes into, what is read for it, what may support it."""

    draft: Draft
    evidence: Evidence
    allowed: Sequence[Passage]
    tools: Tools


def generate(draft: Draft, evidence: Evidence, tools: Tools) -> Iterator[str]:
    """What a model says of `evidence` and a passage supports, sentence by sentence, each with its citations.

    Nothing where the documents hardly answer. What several sentences answer is followed by what the passages say
    besides, or, where nothing is left of what is said and they surely answer, told by them alone.
    """
    part = _Part(draft, evidence, on_topic(evidence), tools)
    question, profile = evidence.question, profile_of(tools.llm)
    most = profile.answer_fact if question.is_short else profile.answer_longer
    prompt = messages(evidence, question.language)
    stream, first = peek(tools.llm.stream(prompt, max_tokens=min(most, tools.settings.answer_tokens)))
    sure = _confidence(part, first)
    if sure is not None and sure < tools.settings.strictness:
        return
    spoken = False
    draft.declined, draft.unsupported = False, []  # this part of the question has not been answered yet
    for piece in _supported(part, stream):
        spoken = True
        yield piece
    if draft.declined or not (spoken or (sure is not None and sure >= SURE)):
        return
    if question.kind in DETAILED and not evidence.asked.several:
        yield from _besides(part, spoken)


def _confidence(part: _Part, first: Piece) -> float | None:
    """The probability that the documents answer; None for a model that does not tell how sure it is.

    Where a document is named, everything in it is near the question: there the model's own doubt decides. So it
    does of a summary of what some document is called.
    """
    evidence, question = part.evidence, part.evidence.question
    doubted = refusal_probability(first.logprobs, NO_ANSWER)
    if doubted is None:
        return None
    subject = evidence.asked.subject
    if subject is None or not (subject.proper or question.kind == "summary"):
        found = extract_features(
            question.sought, evidence.hits, evidence.passages, part.tools.embedder, part.tools.store
        )
        sure = confidence(found, doubted, question.script, question.language != part.draft.language)
    else:
        sure = confidence_of_doubt(doubted)
    part.draft.confidence = max(sure, part.draft.confidence or 0.0)
    return sure


def _supported(part: _Part, stream: Iterator[Piece]) -> Iterator[str]:
    """The sentences of the model's answer that a passage supports, until it refuses or repeats itself."""
    draft, evidence, tools = part.draft, part.evidence, part.tools
    question, kept, repeated, before_first = evidence.question, 0, 0, True
    for gap, claim in split_claims(draft, stream):
        if is_refusal(claim):
            draft.declined = before_first
            return
        if _repeats(claim, draft.claims):
            repeated += 1
            if repeated > 1:
                return
            continue
        grounded = ground_claim(claim, evidence, part.allowed, tools.embedder)
        if grounded is None:
            log.debug("left out, since no passage says so: %s", claim)
            draft.unsupported.append(claim)
            continue
        told = resolve_conflict(question.text, grounded, evidence.hits, tools.store.documents)
        for statement in told:
            words = statement.text
            if question.language != draft.language:
                words = translate_claim(words, draft.language, tools.llm, tools.embedder)
            yield f"{'' if before_first else gap or ' '}{draft.say(words, statement.places)}"
            before_first = False
        draft.keep(question.text, told)
        kept += 1
        if question.is_short and kept == MOST_OF_FACT:
            return


def _repeats(claim: str, before: Sequence[str]) -> bool:
    """Whether one of the sentences `before` says `claim` already."""
    own = content_terms(claim)
    return any(len(own & content_terms(each)) >= ALIKE * max(len(own | content_terms(each)), 1) for each in before)


def _besides(part: _Part, spoken: bool) -> Iterator[str]:
    """What the passages say besides, as quotations: a small model tells less than it was given.

    Where something was said, what the documents say that it was taken from; of others only what is nearest.
    """
    draft, evidence = part.draft, part.evidence
    cited = {citation.source for citation in draft.citations}
    # The question's words are repeated anywhere; what the model meant to say points to the place as well.
    sought = " ".join((evidence.asked.topic, *draft.unsupported))
    ranked = rank_sentences(part.allowed, sought, part.tools.embedder)
    best = ranked[0][0] if ranked else 0.0
    said = content_terms(" ".join(draft.claims)) | evidence.question.terms
    chosen: list[Passage] = []
    for likeness, place in ranked:
        least = LIKE_BEST if not spoken or place.chunk.source in cited else ELSEWHERE
        if likeness < least * best:
            continue
        own = content_terms(place.text)
        if len(own - said) >= NEWS * len(own) and len(place.text) <= LONGEST:
            chosen.append(place)
            said |= own
        if len(chosen) == MOST_BESIDES:
            break
    chosen.sort(key=lambda p: (p.chunk.source, p.start))
    if chosen and spoken:
        yield f"\n{BESIDES[draft.language]}"
    for i, place in enumerate(chosen):
        yield f"{chr(10) if i or spoken else ''}{draft.quote(place)}"
