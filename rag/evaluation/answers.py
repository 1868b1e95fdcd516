"""Questions with known answers, asked as users ask them, then again with the documents that answer them hidden."""

from __future__ import annotations

import csv
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rag.answering.answerer import Answerer, final_answer
from rag.evaluation.beir import Beir
from rag.evaluation.metrics import contains, exact_match, f1
from rag.llms import LLM
from rag.text import language
from rag.types import Answer, Citation, Hit, Message, Usage, Where

_MARKER = re.compile(r"\s*\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Case:
    """One question, asked with everything there (`hidden` false) or without the documents that answer it."""

    id: str
    question: str
    golds: tuple[str, ...]
    hidden: bool
    answer: str
    short: str
    refused: bool
    cited: tuple[str, ...]
    right: tuple[bool, ...]  # for each citation: of a relevant document, and the passage holds the answer
    exact: tuple[bool, ...]  # the same, and the quotation itself holds it
    em: float
    f1: float
    holds: bool  # whether the answer contains a gold answer
    short_holds: bool  # whether its short form contains one
    first_token: float
    seconds: float
    confidence: float | None = None


def sample(beir: Beir, limit: int | None, seed: int) -> list[dict[str, Any]]:
    """`limit` of the queries that have answers, drawn by `seed`."""
    known = [query for query in beir.queries if query.get("answers")]
    return random.Random(seed).sample(known, min(limit or len(known), len(known)))  # noqa: S311 - no secret


def run(
    answerer: Answerer,
    beir: Beir,
    queries: Sequence[dict[str, Any]],
    ask: Callable[[Answerer, str, Where | None], Answer] | None = None,
) -> Iterator[Case]:
    """Each query twice: with all documents, and with its relevant ones hidden."""
    ask = ask or (lambda answerer, question, where: final_answer(answerer.stream(question, where)))
    for query in queries:
        relevant = frozenset(beir.relevance[query["_id"]])
        yield _case(query, relevant, False, ask(answerer, query["text"], None))
        yield _case(query, relevant, True, ask(answerer, query["text"], Where(exclude=relevant)))


def _case(query: dict[str, Any], relevant: frozenset[str], hidden: bool, answer: Answer) -> Case:
    golds = (*query["answers"], *(query.get("answers_doc_lang") or ()))
    text = _MARKER.sub("", answer.text)
    short = answer.short or text
    return Case(
        id=query["_id"],
        question=query["text"],
        golds=golds,
        hidden=hidden,
        answer=answer.text,
        short=short,
        refused=answer.refused,
        cited=tuple(f"{c.source}: {c.quote}" for c in answer.citations),
        right=tuple(c.source in relevant and contains(_passage(c, answer.hits), golds) for c in answer.citations),
        exact=tuple(c.source in relevant and contains(c.quote, golds) for c in answer.citations),
        em=exact_match(short, golds),
        f1=f1(short, golds),
        holds=contains(text, golds) and not answer.refused,
        short_holds=contains(short, golds) and not answer.refused,
        first_token=answer.timings["first_token"],
        seconds=answer.timings["total"],
        confidence=answer.confidence,
    )


def _passage(citation: Citation, hits: Sequence[Hit]) -> str:
    """The chunk that a citation quotes from, the quotation alone where it is none of `hits`."""
    place = citation.source, citation.page
    return next(
        (
            hit.chunk.text
            for hit in hits
            if (hit.chunk.source, hit.chunk.page) == place
            and hit.chunk.start <= citation.start < citation.end <= hit.chunk.end
        ),
        citation.quote,
    )


def figures(cases: Sequence[Case]) -> dict[str, float | int]:
    """Means over the cases; EM, F1 and recalls over all questions that have their documents."""
    shown = [case for case in cases if not case.hidden]
    hidden = [case for case in cases if case.hidden]
    return {
        "n": len(shown),
        "em": _mean([case.em for case in shown]),
        "f1": _mean([case.f1 for case in shown]),
        "answer_recall": _mean([case.holds for case in shown]),
        "short_recall": _mean([case.short_holds for case in shown]),
        "citation_precision": _mean([right for case in shown for right in case.right]),
        "quotation_precision": _mean([exact for case in shown for exact in case.exact]),
        "citation_recall": _mean([any(case.right) for case in shown]),
        "false_refusal": _mean([case.refused for case in shown]),
        "right_refusal": _mean([case.refused for case in hidden]),
        "ttft_p50": round(statistics.median(case.first_token for case in shown), 3) if shown else 0.0,
        "seconds_p50": round(statistics.median(case.seconds for case in shown), 3) if shown else 0.0,
    }


def curve(cases: Sequence[Case], ran: float) -> list[tuple[float, float, float]]:
    """``(strictness, false_refusal, right_refusal)`` for other strictness than `ran`, which the cases had.

    Below `ran` it is a bound: a question refused only for its confidence counts as answered.
    """

    def share(at: float, hidden: bool) -> float:
        return _mean([_refused(case, at, ran) for case in cases if case.hidden is hidden])

    steps = [step / 10 for step in range(1, 10)]
    return [(at, share(at, hidden=False), share(at, hidden=True)) for at in steps]


def _refused(case: Case, at: float, ran: float) -> bool:
    if case.confidence is None:
        return case.refused
    return case.confidence < at or (case.refused and case.confidence >= ran)


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0


def naive(answerer: Answerer, question: str, where: Where | None = None) -> Answer:
    """The usual first attempt, to compare with: three whole passages in one prompt, and nothing is checked."""
    began = time.perf_counter()
    hits = answerer.search(question, 3, where)
    text, usage, first = _generate(answerer.llm, _plain_prompt(question, hits), began)
    cited = [int(n) for n in _MARKER.findall(text) if 0 < int(n) <= len(hits)]
    citations = tuple(_whole_chunk(n, hits[n - 1]) for n in dict.fromkeys(cited))
    refused = bool(
        re.search(r"don['’]?t know|not (?:mention|provide|contain)|不知道|没有(?:提到|提供)|未提及", text)
    )
    timings = {"first_token": first, "total": time.perf_counter() - began}
    return Answer(question, text, refused, citations, tuple(hits), "naive", usage, timings)


def _plain_prompt(question: str, hits: Sequence[Hit]) -> list[Message]:
    passages = "\n\n".join(f"[{hit.rank}] {hit.chunk.text}" for hit in hits)
    if language(question) == "zh":
        rule = "请根据以下资料回答问题，并用[编号]注明出处。如果资料中没有答案，请说“不知道”。"
        return [Message("user", f"{rule}\n\n{passages}\n\n问题：{question}")]
    rule = "Answer from these passages and cite them as [n]. If they do not hold the answer, say: I don't know."
    return [Message("user", f"{rule}\n\n{passages}\n\nQuestion: {question}")]


def _generate(llm: LLM | None, messages: Sequence[Message], began: float) -> tuple[str, Usage, float]:
    if llm is None:
        raise ValueError("the naive path needs a language model")
    text, usage, first = "", Usage(), 0.0
    for piece in llm.stream(messages, max_tokens=128):
        first = first or time.perf_counter() - began
        text += piece.text
        usage = piece.usage or usage
    return text, usage, first


def _whole_chunk(n: int, hit: Hit) -> Citation:
    chunk = hit.chunk
    return Citation(n, chunk.source, chunk.text, chunk.start, chunk.end, chunk.page, chunk.heading)


def write_table(path: Path, cases: Sequence[Case]) -> None:
    """The cases as a CSV file, for a person to read the failures."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Case)])
        table.writeheader()
        for case in cases:
            table.writerow(
                {k: " | ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in asdict(case).items()}
            )
