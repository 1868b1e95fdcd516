"""Do the documents answer a question? A probability, from what was found and from what the model doubts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rag.evidence import Passage
from rag.text import content_terms, passage, script, sentences
from rag.types import Hit

__all__ = ["confidence", "coverage", "doubt", "floor", "lead"]

# Logistic models of the best hit's score, of its lead over the next, of how much of the question stands together
# in the evidence, and of the model's own doubt (as log odds), fitted on questions asked once with their documents
# and once without them: at 0.5 both mistakes weigh the same. Scores of other scripts than Latin come from another
# embedder and are lower for the same worth. Across languages no words are shared, and the score is lower still.
BIAS, SCORE, LEAD, COVERAGE, DOUBT = -6.05, 2.78, 13.9, 5.5, -0.58
OTHER_SCRIPT = 0.68
TRANSLATED = -0.85  # what a small model makes of a question in another language is not always that question
ACROSS_BIAS, ACROSS_SCORE, ACROSS_DOUBT = -3.0, 6.0, -0.9
_LEAST = 1e-3
"""Doubt below this tells no more: the log odds of a probability near 0 are mostly noise."""
_TOGETHER = 2
"""Sentences in a row in which the question's words must stand."""
_RIVAL = 0.6
"""A hit with this share of the question's terms may answer as well: that it is near tells nothing."""
_MOST_LEAD, _NO_RIVAL = 0.15, 0.07
"""A greater lead says no more; where no hit is a stranger to the question, it is taken for a middling one."""


def floor(strictness: float) -> float:
    """The score that the best hit must reach for the model to be asked at all, whatever it would say."""
    return 0.2 * strictness


def confidence(
    score: float, ahead: float, covered: float | None, doubted: float, written: str, translated: bool = False
) -> float:
    """The probability in [0, 1] that the documents answer.

    `score` is the best hit's, `ahead` what `lead` says, `covered` what `coverage` says, `doubted` what `doubt`
    says, and `written` the question's `script`; `translated` is one that was asked in another language.
    """
    doubted = min(max(doubted, _LEAST), 1 - _LEAST)
    odds = math.log(doubted / (1 - doubted))
    if covered is None:
        return _logistic(ACROSS_BIAS + ACROSS_SCORE * score + ACROSS_DOUBT * odds)
    bias = BIAS + (OTHER_SCRIPT if written == "other" else 0.0) + (TRANSLATED if translated else 0.0)
    return _logistic(bias + SCORE * score + LEAD * ahead + COVERAGE * covered + DOUBT * odds)


def lead(question: str, hits: Sequence[Hit]) -> float:
    """How far the best hit's score is above that of the next which has little to do with `question`, in [0, 0.15].

    What answers a question stands out from the rest of a folder; where nothing answers, the best hit is one of
    many. Source: the spread of scores as a sign of a search's success, Shtok et al., Predicting Query Performance
    by Query-Drift Estimation (2012).
    """
    asked = content_terms(question)
    for hit in hits[1:]:
        if len(asked & content_terms(passage(hit.chunk))) < _RIVAL * max(len(asked), 1):
            return min(max(hits[0].score - hit.score, 0.0), _MOST_LEAD)
    return _NO_RIVAL


def coverage(question: str, passages: Sequence[Passage]) -> float | None:
    """The share of the question's terms that stand together in one place of `passages`, at best.

    None where no passage is in the question's script: the words of one are not those of the other.
    """
    if passages and all(script(p.text) != script(question) for p in passages):
        return None
    asked = content_terms(question)
    places = (place for p in passages for place in _places(p))
    return max((len(asked & content_terms(place)) / max(len(asked), 1) for place in places), default=0.0)


def _places(shown: Passage) -> list[str]:
    """Sentences in a row, each under its headings."""
    spans = sentences(shown.text)
    under = " ".join(shown.chunk.heading)
    ends = [spans[min(i + _TOGETHER, len(spans)) - 1][1] for i in range(len(spans))]
    return [f"{under}\n{shown.text[start:end]}" for (start, _), end in zip(spans, ends, strict=True)]


def doubt(likeliest: Mapping[str, float], refusals: tuple[str, ...]) -> float | None:
    """The probability that an answer begins as one of `refusals` (upper case), None where `likeliest` is empty.

    `likeliest` maps the likeliest first tokens to their natural-log probabilities. A token counts that is
    the beginning of a refusal, of two characters or of all of it, white space and case aside.
    """
    if not likeliest:
        return None
    return min(sum(math.exp(p) for token, p in likeliest.items() if _begins(token, refusals)), 1.0)


def _begins(token: str, refusals: tuple[str, ...]) -> bool:
    start = token.strip().upper()
    return any(start == refusal or (len(start) > 1 and refusal.startswith(start)) for refusal in refusals)


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
