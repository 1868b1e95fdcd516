"""Which passages say nothing that a better one does not say: the same text in several files is one hit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.retrieval._tuned import COVERED
from rag.text import content_terms, normalise
from rag.text.scripts import simplify
from rag.types import Chunk

__all__ = ["fold_copies"]

# Where words have no spaces between them, what stands between two stops; "$5" and "-5" are others than "5".
_WORDS = re.compile(r"[^\s,;:!?()\[\]\"'，。；：！？、（）《》“”‘’|*_#`]+")


def _words(text: str) -> list[str]:
    return [word.rstrip(".") for word in _WORDS.findall(simplify(normalise(text)))]


def _covers(better: str, other: str) -> bool:
    """Whether next to nothing of `other` stands in another order in `better`, which has all its words."""
    one, two = (set(pairwise(_words(text))) for text in (better, other))
    return len(one & two) >= COVERED * len(two)


def fold_copies(question: str, chunks: Sequence[Chunk]) -> list[list[int]]:
    """The places in `chunks` (best first) of different passages, each with those of its copies behind it.

    A copy says nothing that the better one does not say: no other word, number or "not". Where `question` has a
    word of its headings or its file's name that the better one's lack, it is meant as well, and stays.
    """
    groups: list[list[int]] = []
    words = [set(_words(chunk.text)) for chunk in chunks]
    for i, chunk in enumerate(chunks):
        for group in groups:
            better = chunks[group[0]]
            if (
                words[i] <= words[group[0]]
                and _covers(better.text, chunk.text)
                and not _is_asked_for(question, chunk, better)
            ):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _is_asked_for(question: str, chunk: Chunk, better: Chunk) -> bool:
    """Whether `question` names `chunk` by what `better` is not called."""
    return bool(content_terms(question) & (_labels(chunk) - _labels(better)))


def _labels(chunk: Chunk) -> set[str]:
    return content_terms(" ".join((*chunk.heading, chunk.source)))
