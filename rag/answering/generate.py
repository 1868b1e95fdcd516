"""Evidence to sentences: the model speaks, and of what it says the sentences remain that a passage supports."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from rag.answering._tuned import ALIKE, LIKE_BEST, LONGEST, MOST_BESIDES, NEWS, SURE
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

__all__ = ["generate"]

DETAILED = ("summary", "why", "steps")
"""Kinds of question of which a reader wants to know more than a small model says."""

log = logging.getLogger(__name__)


def generate(
    draft: Draft, evidence: Evidence, llm: LLM, embedder: Embedder, store: Store, settings: Settings
) -> Iterator[str]:
    """What `llm` says of `evidence` and a passage supports, sentence by sentence, each with its citations.

    Nothing where the documents hardly answer. What several sentences answer is followed by what the passages say
    besides, or, where nothing is left of what is said and they surely answer, told by them alone.
    """
    question, profile = evidence.question, profile_of(llm)
    most = profile.answer_fact if question.is_short else profile.answer_longer
    said = llm.stream(messages(evidence, question.language), max_tokens=min(most, settings.answer_tokens))
    stream, first = peek(said)
    sure = _confidence(draft, evidence, first, embedder, store)
    if sure is not None and sure < settings.strictness:
        return
    allowed = on_topic(evidence)
    spoken = False
    draft.declined, draft.unsupported = False, []  # this part of the question has not been answered yet
    for piece in _supported(draft, evidence, allowed, stream, llm, embedder, store):
        spoken = True
        yield piece
    if draft.declined or not (spoken or (sure is not None and sure >= SURE)):
        return
    if question.kind in DETAILED and not evidence.asked.several:
        # The question's words are repeated anywhere; what the model meant to say points to the place as well.
        sought = " ".join((evidence.asked.topic, *draft.unsupported))
        cited = {citation.source for citation in draft.citations}
        near = [passage for passage in allowed if not spoken or passage.chunk.source in cited]
        yield from _besides(draft, evidence, rank_sentences(near, sought, embedder, LIKE_BEST), spoken)


def _besides(draft: Draft, evidence: Evidence, ranked: Sequence[Passage], spoken: bool) -> Iterator[str]:
    """What the passages say besides, as quotations: a small model tells less than it was given."""
    said = content_terms(" ".join(draft.claims)) | evidence.question.terms
    chosen: list[Passage] = []
    for place in ranked:
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


def _confidence(draft: Draft, evidence: Evidence, first: Piece, embedder: Embedder, store: Store) -> float | None:
    """The probability that the documents answer; None for a model that does not tell how sure it is.

    Where a document is named, everything in it is near the question: there the model's own doubt decides.
    """
    question = evidence.question
    doubted = refusal_probability(first.logprobs, NO_ANSWER)
    if doubted is None:
        return None
    if evidence.asked.subject is None or not evidence.asked.subject.proper:
        found = extract_features(question.text, evidence.hits, evidence.passages, embedder, store)
        sure = confidence(found, doubted, question.script, question.language != draft.language)
    else:
        sure = confidence_of_doubt(doubted)
    draft.confidence = max(sure, draft.confidence or 0.0)
    return sure


def _supported(
    draft: Draft,
    evidence: Evidence,
    allowed: Sequence[Passage],
    stream: Iterator[Piece],
    llm: LLM,
    embedder: Embedder,
    store: Store,
) -> Iterator[str]:
    """The sentences of the model's answer that a passage supports, until it refuses or repeats itself."""
    question, repeated = evidence.question, 0
    before_first = True
    for gap, claim in split_claims(draft, stream):
        if is_refusal(claim):
            draft.declined = before_first
            return
        if _repeats(claim, draft.claims):
            repeated += 1
            if repeated > 1:
                return
            continue
        grounded = ground_claim(claim, evidence, allowed, embedder)
        if grounded is None:
            log.debug("left out, since no passage says so: %s", claim)
            draft.unsupported.append(claim)
            continue
        told = resolve_conflict(question.text, grounded, evidence.hits, store.documents)
        for statement in told:
            words = statement.text
            if question.language != draft.language:
                words = translate_claim(words, draft.language, llm, embedder)
            yield f"{'' if before_first else gap or ' '}{draft.say(words, statement.places)}"
            before_first = False
        draft.keep(question.text, told)


def _repeats(claim: str, before: Sequence[str]) -> bool:
    """Whether one of the sentences `before` says `claim` already."""
    own = content_terms(claim)
    return any(len(own & content_terms(each)) >= ALIKE * max(len(own | content_terms(each)), 1) for each in before)
