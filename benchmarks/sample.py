"""The sample questions with the local model: how many are right, and how soon an answer begins.

    python -m benchmarks.sample

One process, the default embedder and the default local model, the sample folder; each question is asked twice.
Printed: answers that hold a fact they must hold, and refusals, by whether the documents answer; and the median
seconds to the first words, of questions asked for the first time and repeated at once, with the share of the
prompt's tokens that the model had read before (the rules that begin every prompt; all of a repeated one).
Every answer goes to stderr, for a person to read.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from rag import RAG, Answer
from rag.evaluation.metrics import contains

DATA = Path(__file__).resolve().parent.parent / "data"


def main() -> None:
    questions = tomllib.loads((DATA / "questions.toml").read_text("utf-8"))["question"]
    with tempfile.TemporaryDirectory() as folder, RAG.open(f"faiss:{folder}/index") as rag:
        rag.ingest(DATA / "docs")
        rag.ask("Is the model loaded?")
        asked = [(rag.ask(q["question"]), rag.ask(q["question"])) for q in questions]
    outcomes = Counter(outcome(q, first) for q, (first, _) in zip(questions, asked, strict=True))
    for question, (answer, _) in zip(questions, asked, strict=True):
        told = (
            f"{answer.confidence or 0:.2f} {answer.timings['first_token']:.1f} s {answer.question} {answer.text}"
        )
        print(f"{outcome(question, answer)}: {told}", file=sys.stderr)
    first, again = ([pair[i] for pair in asked if not pair[0].refused] for i in (0, 1))
    print(json.dumps({**outcomes, "first": figures(first), "repeated": figures(again)}, indent=1))


def outcome(question: dict[str, Any], answer: Answer) -> str:
    """What became of a question, in words."""
    if not question["answerable"]:
        return "refused rightly" if answer.refused else "should have been refused"
    if answer.refused:
        return "refused wrongly"
    return "right" if contains(answer.text, question["answers"]) else "wrong"


def figures(answers: list[Answer]) -> dict[str, float]:
    """Medians of answers that were given."""
    return {
        "first_token_p50": round(statistics.median(a.timings["first_token"] for a in answers), 2),
        "seconds_p50": round(statistics.median(a.timings["total"] for a in answers), 2),
        "prompt_p50": statistics.median(a.usage.prompt for a in answers),
        "read_before": round(sum(a.usage.cached for a in answers) / sum(a.usage.prompt for a in answers), 3),
    }


if __name__ == "__main__":
    main()
