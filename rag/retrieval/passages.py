"""An excerpt of a chunk, and what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.retrieval._tuned import ADDS
from rag.text import content_terms, is_row, split_sentences
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


_POINTS_BACK = re.compile(
    r"[“\"「]?(?:但|因此|所以|他|她|它|该|这|此(?!外)|其(?![他它实余中])|前者|后者|(?:He|She|It|They|His|Her|Its|Their"
    r"|This|These|That|Those|Such|But|However|Thus|Therefore|Hence)\b)"
)


def with_preceding_sentence(passage: Passage, question: str) -> Passage:
    """`passage` with the sentence before it in its line, where it is not understood without.

    That is where it begins by pointing back ("He …", 但…), or where the one before has words of `question` that
    it lacks: the reader sees what is spoken of, or that a small model took the sentence after the right one.
    """
    chunk, (before, _) = passage.chunk, _neighbours(passage, question)
    if before is None or "\n" in chunk.text[before.end - chunk.start : passage.start - chunk.start]:
        return passage
    asked = content_terms(question)
    added = asked & content_terms(before.text) - content_terms(" ".join((*chunk.heading, passage.text)))
    if not _POINTS_BACK.match(passage.text) and len(added) < ADDS * max(len(asked), 1):
        return passage
    return Passage(chunk, before.start, passage.end)


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
