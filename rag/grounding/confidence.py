"""Do the documents answer a question? A probability, from what was found and from what the model doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.embedders import Embedder
from rag.grounding._tuned import (
    _LEAST,
    _MOST_LEAD,
    _NO_RIVAL,
    _RIVAL,
    ACROSS_BIAS,
    ACROSS_DOUBT,
    ACROSS_SCORE,
    BIAS,
    CLOSENESS,
    DOUBT,
    DOUBTED,
    LEAD,
    MISSING,
    OTHER_SCRIPT,
    RARITY,
    TRANSLATED,
)
from rag.retrieval.passages import Passage
from rag.stores import Store
from rag.text import content_terms, embedding_text, script, split_sentences, stem
from rag.types import Hit

__all__ = [
    "AnswerabilityFeatures",
    "confidence",
    "confidence_of_doubt",
    "extract_features",
    "min_score",
    "score_margin",
]


@dataclass(frozen=True, slots=True)
class AnswerabilityFeatures:
    """What a search says of whether the documents answer.

    `score` is the best hit's, `score_margin` how far it stands out. `closeness` is how much of the question one
    sentence has, by meaning and by words, in [-1, 2]; None where no passage is in the question's script.
    `rarity` is the mean of its terms' in [0, 1], and `missing` the share of that which no single chunk has.
    """

    score: float
    score_margin: float
    closeness: float | None
    rarity: float
    missing: float


def min_score(strictness: float) -> float:
    """The score that the best hit must reach for the model to be asked at all, whatever it would say."""
    return 0.2 * strictness


def extract_features(
    question: str, hits: Sequence[Hit], passages: Sequence[Passage], embedder: Embedder, store: Store
) -> AnswerabilityFeatures:
    """What `hits`, at least one, and the `passages` taken from them say.

    A rare term counts for more: where the documents have a question's common words alone, they do not answer it.
    """
    asked = sorted(_content_stems(question))
    weights = dict(zip(asked, store.rarities(asked), strict=True))
    held = max(_share(weights, embedding_text(hit.chunk)) for hit in hits)
    foreign = passages and all(script(p.text) != script(question) for p in passages)
    close = None if foreign else _closeness(question, passages, embedder, weights)
    rarity = sum(weights.values()) / max(len(weights), 1)
    return AnswerabilityFeatures(hits[0].score, score_margin(question, hits), close, rarity, 1 - held)


def confidence(found: AnswerabilityFeatures, doubted: float, written: str, translated: bool = False) -> float:
    """The probability in [0, 1] that the documents answer.

    `doubted` is what `refusal_probability` says, `written` the question's `script`; `translated` is one that was
    asked in another language.
    """
    doubted = min(max(doubted, _LEAST), 1 - _LEAST)
    odds = math.log(doubted / (1 - doubted))
    if found.closeness is None:
        return _logistic(ACROSS_BIAS + ACROSS_SCORE * found.score + ACROSS_DOUBT * odds)
    bias = BIAS + (OTHER_SCRIPT if written == "other" else 0.0) + (TRANSLATED if translated else 0.0)
    near = (
        LEAD * found.score_margin + CLOSENESS * found.closeness + RARITY * found.rarity + MISSING * found.missing
    )
    return _logistic(bias + near + DOUBT * odds)


def confidence_of_doubt(doubted: float) -> float:
    """The probability in [0, 1] that the documents answer, by the model's doubt alone."""
    doubted = min(max(doubted, _LEAST), 1 - _LEAST)
    return _logistic(DOUBTED - math.log(doubted / (1 - doubted)))


def score_margin(question: str, hits: Sequence[Hit]) -> float:
    """How far the best hit's score is above that of the next which has little to do with `question`, in [0, 0.15].

    What answers a question stands out from the rest of a folder; where nothing answers, the best hit is one of
    many. Source: the spread of scores as a sign of a search's success, Shtok et al., Predicting Query Performance
    by Query-Drift Estimation (2012).
    """
    asked = _content_stems(question)
    for hit in hits[1:]:
        if len(asked & _content_stems(embedding_text(hit.chunk))) < _RIVAL * max(len(asked), 1):
            return min(max(hits[0].score - hit.score, 0.0), _MOST_LEAD)
    return _NO_RIVAL


def _closeness(
    question: str, passages: Sequence[Passage], embedder: Embedder, weights: Mapping[str, float]
) -> float:
    """The best sentence's cosine to `question` and, with its headings, its share of the question's terms."""
    said = [(p.text[a:b], p.chunk.heading) for p in passages for a, b in split_sentences(p.text)]
    if not said:
        return 0.0
    near = embedder.embed_documents([text for text, _ in said]) @ embedder.embed_queries([question])[0]
    shares = [_share(weights, " ".join((*above, text))) for text, above in said]
    return max(float(cosine) + share for cosine, share in zip(near, shares, strict=True))


def _share(weights: Mapping[str, float], text: str) -> float:
    """The share of the terms that `text` has, by weight."""
    held = _content_stems(text)
    return sum(weight for term, weight in weights.items() if term in held) / (sum(weights.values()) or 1.0)


def _content_stems(text: str) -> set[str]:
    """The terms that carry meaning, as the index has them: what is asked in one form is held in another."""
    return {stem(term) for term in content_terms(text)}


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
