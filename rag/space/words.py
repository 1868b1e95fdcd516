"""What words are near, and what comes out where some are added and others taken away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.embedders.words import WordVectors
from rag.errors import SpaceError
from rag.types import Vector

__all__ = ["read_sum", "solve_words"]

_PLUS, _MINUS = {"+", "＋"}, {"-", "－", "−", "–"}


def read_sum(parts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are added and those that are taken away, of "king", "-", "man", "+", "woman"."""
    plus: list[str] = []
    minus: list[str] = []
    to: list[str] | None = plus
    for part in parts:
        if part in _PLUS | _MINUS:
            to = plus if part in _PLUS else minus
        elif to is None:
            raise SpaceError(f"a + or - is missing before {part!r}")
        else:
            to.append(part)
            to = None
    if to is not None:
        raise SpaceError("a word is missing at the end" if parts else "no words are given")
    return plus, minus


def solve_words(
    vectors: WordVectors, plus: Sequence[str], minus: Sequence[str] = (), k: int = 10
) -> list[tuple[str, float]]:
    """The `k` words nearest to the sum of `plus` less the sum of `minus`, none of these, with their cosines.

    Raises SpaceError for a word that has no vector. Source: Mikolov, Yih, Zweig 2013 (3CosAdd).
    """
    total = np.zeros(vectors.dim, np.float32)
    for sign, words in ((1, plus), (-1, minus)):
        for word in words:
            total += sign * _unit(vectors, word)
    if not float(np.linalg.norm(total)) > 0:
        raise SpaceError("the words take each other away: nothing is left to be near to")
    return vectors.nearest(total, k, [*plus, *minus])


def _unit(vectors: WordVectors, word: str) -> Vector:
    vector = vectors.vector(word)
    length = 0.0 if vector is None else float(np.linalg.norm(vector))
    if vector is None or not length > 0:
        raise SpaceError(f"the word vectors {vectors.name} have no word {word!r}: {_languages(vectors)}")
    return vector / np.float32(length)


def _languages(vectors: WordVectors) -> str:
    some = [word for word in vectors.words[:100] if word.isalpha()][:3]
    return f"they hold {len(vectors.words):,} words, such as {', '.join(some)}; --vectors names others"
