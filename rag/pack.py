"""Hits to passages: what of them fits into the prompt, by a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.text import content_terms, sentences
from rag.types import Chunk, Hit


@dataclass(frozen=True, slots=True)
class Passage:
    """An excerpt of a chunk, as the model reads it; ``[start, end)`` are offsets as the chunk's."""

    chunk: Chunk
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.chunk.text[self.start - self.chunk.start : self.end - self.chunk.start]


def pack(hits: Sequence[Hit], question: str, budget: int, count: Callable[[str], int]) -> list[Passage]:
    """Passages from `hits`, best first, of `budget` tokens together as `count` counts them.

    Whole chunks while they fit; of the first that does not, the run of sentences that shares most
    with the question.
    """
    passages: list[Passage] = []
    for hit in hits:
        chunk = hit.chunk
        size = count(chunk.text)
        if size <= budget:
            passages.append(Passage(chunk, chunk.start, chunk.end))
            budget -= size
            continue
        part = _best_run(chunk, question, budget, count)
        return [*passages, part] if part else passages
    return passages


def _best_run(chunk: Chunk, question: str, budget: int, count: Callable[[str], int]) -> Passage | None:
    """The run of sentences around the one most like `question` that fits into `budget`."""
    spans = sentences(chunk.text)
    sizes = [count(chunk.text[a:b]) for a, b in spans]
    wanted = content_terms(question)
    shared = [len(wanted & content_terms(chunk.text[a:b])) for a, b in spans]
    if not spans:
        return None
    first = last = max(range(len(spans)), key=lambda i: (shared[i], -i))
    room = budget - sizes[first]
    if room < 0:
        return None
    while True:
        after = sizes[last + 1] if last + 1 < len(spans) else None
        before = sizes[first - 1] if first > 0 else None
        if after is not None and after <= room:
            last, room = last + 1, room - after
        elif before is not None and before <= room:
            first, room = first - 1, room - before
        else:
            return Passage(chunk, chunk.start + spans[first][0], chunk.start + spans[last][1])
