"""Texts as weighted means of the vectors of their words: quick, and blind to the order of words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from rag.embedders.words.vectors import WordVectors, load_word_vectors
from rag.text import CJK, normalise, well_formed
from rag.types import Vector, Vectors

__all__ = ["WordsEmbedder"]

_RUNS = re.compile(rf"[{CJK}]+|[^\W{CJK}_]+(?:['’-][^\W{CJK}_]+)*")
_LONGEST_CHINESE = 8  # characters of a word
_COMMON = 1e-3  # a word that is so great a share of all text counts half as much as a rare one
_CHARACTERS_A_TOKEN = 32  # no word is longer in practice: of a longer text no more is read


class WordsEmbedder:
    """Each word counts a / (a + p), p being its share of all text as its rank in the table tells it by Zipf's law.

    Source: Arora, Liang, Ma 2017 ("smooth inverse frequency"), without the common direction taken off.
    """

    max_tokens = 512

    def __init__(self, vectors: WordVectors) -> None:
        self._vectors = vectors
        self.id = f"vectors:{vectors.name}"
        self.weights = vectors.weights

    @classmethod
    def load(cls, name: str) -> WordsEmbedder:
        """The embedder over the word vectors called `name`. Raises ModelError, MissingExtra."""
        return cls(load_word_vectors(name))

    @property
    def dim(self) -> int:
        return self._vectors.dim

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if split := self._vectors.rows_of:
            return [len(split(well_formed(text))) for text in texts]
        return [sum(1 for _ in self._words(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        found: Vectors = np.empty((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            found[row] = self._embed(text)
        return found

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    def _embed(self, text: str) -> Vector:
        """Of unit length; a text without any known word has the vector that all such texts have."""
        read = well_formed(text[: self.max_tokens * _CHARACTERS_A_TOKEN])
        split = self._vectors.rows_of
        rows = self._vectors.matrix[split(read)[: self.max_tokens]] if split else self._weighted(read)
        total: Vector = np.asarray(rows, np.float32).sum(axis=0)
        if not (length := float(np.linalg.norm(total))) > 0:
            total[-1] = length = 1.0
        return total / np.float32(length)

    def _weighted(self, text: str) -> Vectors:
        """The vectors of the known words, each as long as it counts."""
        found = np.zeros((self.max_tokens, self.dim), np.float32)
        for row, word in zip(range(self.max_tokens), self._words(text), strict=False):
            if (vector := self._vectors.vector(word)) is not None and (length := np.linalg.norm(vector)) > 0:
                found[row] = self._weight(word) / length * vector
        return found

    def _words(self, text: str) -> Iterator[str]:
        """Words between spaces; of Chinese the longest that are in the table, from left to right."""
        for match in _RUNS.finditer(normalise(well_formed(text))):
            run = match.group()
            if not re.match(f"[{CJK}]", run):
                yield run
                continue
            start = 0
            while start < len(run):
                lengths = range(min(_LONGEST_CHINESE, len(run) - start), 1, -1)
                long = next((n for n in lengths if run[start : start + n] in self._vectors.rank), 1)
                yield run[start : start + long]
                start += long

    @cached_property
    def _harmonic(self) -> float:
        return float(np.log(len(self._vectors.words) + 1) + 0.5772)

    def _weight(self, word: str) -> float:
        rank = self._vectors.rank.get(word, len(self._vectors.words))
        return _COMMON / (_COMMON + 1 / ((rank + 1) * self._harmonic))
