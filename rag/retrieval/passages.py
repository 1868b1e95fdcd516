"""An excerpt of a chunk, and what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.text import is_row, split_sentences
from rag.text.injection import sentences_without_instructions
from rag.types import Chunk


@dataclass(frozen=True, slots=True)
class Passage:
    """An excerpt of a chunk, as the model reads it; ``[start, end)`` are offsets as the chunk's."""

    chunk: Chunk
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.chunk.text[self.start - self.chunk.start : self.end - self.chunk.start]


def sentences_before(passage: Passage, count: int) -> str:
    """The `count` sentences before `passage` in its chunk."""
    text = passage.chunk.text[: passage.start - passage.chunk.start]
    return " ".join(text[a:b] for a, b in split_sentences(text)[-count:])


def between_neighbours(passage: Passage, question: str) -> Passage:
    """`passage` with the sentences before and after it that tell something; of a table the row alone."""
    if is_row(passage.text):
        return passage
    before, after = _neighbours(passage, question)
    return Passage(passage.chunk, (before or passage).start, (after or passage).end)


def _neighbours(passage: Passage, question: str) -> tuple[Passage | None, Passage | None]:
    """The sentences before and after `passage` in its chunk, each None where it tells nothing."""
    chunk = passage.chunk

    def placed(spans: Sequence[tuple[int, int]]) -> list[Passage]:
        return [Passage(chunk, chunk.start + a, chunk.start + b) for a, b in spans]

    every, telling = (
        placed(split_sentences(chunk.text)),
        placed(sentences_without_instructions(chunk.text, question)),
    )
    before = next((each for each in reversed(every) if each.end <= passage.start), None)
    after = next((each for each in every if each.start >= passage.end), None)
    return before if before in telling else None, after if after in telling else None
