"""What is said to a model: files with strict variables, each `{{name}}` filled, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rag.llms.prompts import render, turns
from rag.retrieval.passages import Passage
from rag.text.injection import sanitise_for_model
from rag.types import Message


def messages(question: str, passages: Sequence[Passage], tongue: str) -> list[Message]:
    """What is said to the model, in the language `tongue`: rules and examples, then the passages, the question."""
    shown = "\n".join(_shown(passages))
    return [
        *turns(f"answer.{tongue}"),
        Message("user", render(f"question.{tongue}", passages=shown, question=question)),
    ]


def _shown(passages: Sequence[Passage]) -> Iterator[str]:
    """The passages of each chunk under a number, and under its headings where they change: each token is time."""
    above = ""
    for i, (chunk, group) in enumerate(groupby(passages, key=lambda passage: passage.chunk), start=1):
        text = "\n".join(passage.text for passage in group)
        path = " > ".join(title for title in chunk.heading if title not in text)
        yield sanitise_for_model(f"[{i}] ({path}) {text}" if path not in ("", above) else f"[{i}] {text}")
        above = path
