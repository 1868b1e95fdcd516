"""A model's words to claims, one a sentence, as they come."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from rag.answering.draft import Draft
from rag.answering.wording import without_markers
from rag.llms import Piece
from rag.text import split_sentences
from rag.types import Usage


def peek(stream: Iterator[Piece]) -> tuple[Iterator[Piece], Piece]:
    """`stream` as it was, and its first piece with text or probabilities (an empty one where there is none)."""
    before: list[Piece] = []
    for piece in stream:
        before.append(piece)
        if piece.text or piece.logprobs:
            break
    return chain(before, stream), before[-1] if before else Piece("", {})


def split_claims(draft: Draft, stream: Iterator[Piece]) -> Iterator[tuple[str, str]]:
    """The sentences of a model's answer as they are finished, each with the white space before it."""
    buffer = ""
    for piece in stream:
        buffer += piece.text
        draft.usage += piece.usage or Usage()
        spans = split_sentences(buffer)
        for start, end in spans[:-1]:
            yield _claim(buffer, start, end)
        if len(spans) > 1:
            buffer = buffer[spans[-2][1] :]
    for start, end in split_sentences(buffer):
        yield _claim(buffer, start, end)


def _claim(buffer: str, start: int, end: int) -> tuple[str, str]:
    gap = buffer[:start][len(buffer[:start].rstrip()) :]
    text = without_markers(buffer[start:end]).strip()
    return ("\n" if "\n" in gap else " " if gap else ""), text
