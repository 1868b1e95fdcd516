"""What is said to a model: files with strict variables, each `{{name}}` filled, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rag.llms.prompts import render, turns
from rag.retrieval.gather import Evidence
from rag.retrieval.passages import Passage
from rag.text.injection import sanitise_for_model
from rag.types import Message


def messages(evidence: Evidence, language: str) -> list[Message]:
    """What is said to the model, in `language`: rules and examples, then the passages and the question.

    A question that one sentence answers has other rules than one that needs several.
    """
    question = evidence.question
    shown = "\n".join(_shown(evidence.passages))
    put = render(f"question.{language}", passages=shown, question=question.text)
    return [*turns(f"{'answer' if question.is_short else 'explain'}.{language}"), Message("user", put)]


def _shown(passages: Sequence[Passage]) -> Iterator[str]:
    """The passages of each chunk under a number, and under its headings where they change: each token is time."""
    above = ""
    for i, (chunk, group) in enumerate(groupby(passages, key=lambda passage: passage.chunk), start=1):
        text = "\n".join(passage.text for passage in group)
        path = " > ".join(title for title in chunk.heading if title not in text)
        yield sanitise_for_model(f"[{i}] ({path}) {text}" if path not in ("", above) else f"[{i}] {text}")
        above = path
