"""Answers by kind of question: queries that have a `type`, or are `unanswerable`, and `references`.

In: queries of a BEIR folder and what answered them. Out: for each kind how many answers are good, refused, and
cite a document that is not relevant.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from rag.answering.answerer import Answerer, final_answer
from rag.text import content_terms, find_numbers
from rag.types import Answer

__all__ = ["ALL", "UNANSWERABLE", "KindCase", "figures_by_kind", "has_kinds", "run_by_kind", "sample_by_kind"]

UNANSWERABLE, ALL = "unanswerable", "all answerable"
SHORT = 60
"""Letters of a known answer up to which it counts as short: half of its words and all its numbers are wanted then,
of a longer one .4 of its words."""
COVERED = 0.6
"""A reference counts as cited where a quotation has this share of its runs of six letters."""
_MARKER = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class KindCase:
    """A question and its answer: a flag `wrong` for each citation, `evidence` None where it has no references."""

    kind: str
    question: str
    answer: str
    refused: bool
    good: bool
    wrong: tuple[bool, ...]
    evidence: float | None
    first_token: float
    seconds: float


def has_kinds(queries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of `queries` has a type, or is said to have no answer."""
    return any(query.get("type") or query.get("unanswerable") for query in queries)


def kind_of_query(query: Mapping[str, Any]) -> str:
    """The kind under which a query is counted."""
    return UNANSWERABLE if query.get("unanswerable") else str(query.get("type") or "all")


def sample_by_kind(
    queries: Sequence[Mapping[str, Any]], limit: int | None, draw: Callable[..., Any]
) -> list[Mapping[str, Any]]:
    """Up to `limit` queries of each kind, as `draw` (``random.Random(seed).sample``) takes them."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for query in queries:
        kinds.setdefault(kind_of_query(query), []).append(query)
    return [query for kind in sorted(kinds) for query in draw(kinds[kind], min(limit or 10**9, len(kinds[kind])))]


def run_by_kind(
    answerer: Answerer,
    queries: Sequence[Mapping[str, Any]],
    relevance: Mapping[str, Set[str] | Mapping[str, Any]],
    ask: Callable[[Answerer, str], Answer] | None = None,
) -> Iterator[KindCase]:
    """Each query, asked once."""
    ask = ask or (lambda answerer, question: final_answer(answerer.stream(question)))
    for query in queries:
        answer = ask(answerer, query["text"])
        wrong = tuple(c.source not in relevance.get(query["_id"], ()) for c in answer.citations)
        yield KindCase(
            kind_of_query(query),
            query["text"],
            answer.text,
            answer.refused,
            _is_good(query, answer) and not any(wrong),
            wrong,
            _evidence(query.get("references") or (), [c.quote for c in answer.citations]),
            answer.timings["first_token"],
            answer.timings["total"],
        )


def _is_good(query: Mapping[str, Any], answer: Answer) -> bool:
    """Whether the answer has what is known; of a question without an answer, whether it was refused."""
    if query.get("unanswerable") or answer.refused:
        return bool(query.get("unanswerable")) and answer.refused
    known = " ".join(query.get("answers") or ())
    said = _MARKER.sub("", answer.text)
    wanted = content_terms(known) - content_terms(query["text"])
    share = len(wanted & content_terms(said)) / len(wanted) if wanted else float(_letters(known) in _letters(said))
    if len(_letters(known)) > SHORT:
        return share >= 0.4
    return share >= 0.5 and find_numbers(known) - find_numbers(query["text"]) <= find_numbers(said)


def _evidence(references: Sequence[str], quotes: Sequence[str]) -> float | None:
    """The share of `references` that the `quotes` have."""
    known = [_letters(reference) for reference in references if len(_letters(reference)) >= 6]
    shown = [_letters(quote) for quote in quotes]
    return statistics.fmean(any(_overlap(one, quote) for quote in shown) for one in known) if known else None


def _overlap(reference: str, quote: str) -> bool:
    runs = {reference[i : i + 6] for i in range(len(reference) - 5)}
    return reference in quote or sum(run in quote for run in runs) >= COVERED * len(runs)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def figures_by_kind(cases: Sequence[KindCase]) -> dict[str, dict[str, float | int]]:
    """Of each kind, and of all that have an answer: n, what is good, refused, and cited of another document."""
    kinds: dict[str, list[KindCase]] = {}
    for case in cases:
        kinds.setdefault(case.kind, []).append(case)
    if answerable := [case for case in cases if case.kind != UNANSWERABLE]:
        kinds[ALL] = answerable
    return {kind: _figures(of_kind) for kind, of_kind in sorted(kinds.items())}


def _figures(cases: Sequence[KindCase]) -> dict[str, float | int]:
    wrong = [each for case in cases for each in case.wrong]
    evidence = [case.evidence for case in cases if case.evidence is not None]
    return {
        "n": len(cases),
        "good": _mean([case.good for case in cases]),
        "refused": _mean([case.refused for case in cases]),
        "wrong_document": _mean(wrong),
        "evidence": _mean(evidence),
        "first_token_p50": round(statistics.median(case.first_token for case in cases), 2),
        "seconds_p50": round(statistics.median(case.seconds for case in cases), 2),
    }


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 3) if values else 0.0
