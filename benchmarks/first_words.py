"""How soon does a local answer begin? The sample questions, each asked twice, after one that warms up.

    python -m benchmarks.first_words

One process, the default embedder and the default local model, the sample folder. Printed: the median seconds
to the first words, of questions asked for the first time and repeated at once, and the share of the prompt's
tokens that the model had read before (the rules that begin every prompt; all of a repeated one).
"""

from __future__ import annotations

import json
import statistics
import tempfile
import tomllib
from pathlib import Path

from rag import RAG, Answer

DATA = Path(__file__).resolve().parent.parent / "data"


def main() -> None:
    questions = [q["question"] for q in tomllib.loads((DATA / "questions.toml").read_text("utf-8"))["question"]]
    with tempfile.TemporaryDirectory() as folder, RAG.open(f"faiss:{folder}/index") as rag:
        rag.ingest(DATA / "docs")
        rag.ask(questions[0])
        asked = [(rag.ask(question), rag.ask(question)) for question in questions[1:]]
    first, again = ([pair[i] for pair in asked if pair[0].usage.prompt] for i in (0, 1))
    print(json.dumps({"questions": len(first), "first": figures(first), "repeated": figures(again)}, indent=1))


def figures(answers: list[Answer]) -> dict[str, float]:
    """Medians of answers for which the model was asked."""
    return {
        "first_token_p50": round(statistics.median(a.timings["first_token"] for a in answers), 2),
        "seconds_p50": round(statistics.median(a.timings["total"] for a in answers), 2),
        "prompt_p50": statistics.median(a.usage.prompt for a in answers),
        "read_before": round(sum(a.usage.cached for a in answers) / sum(a.usage.prompt for a in answers), 3),
    }


if __name__ == "__main__":
    main()
