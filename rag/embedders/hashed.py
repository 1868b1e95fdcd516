"""A bag of words, hashed: for tests. Texts that share words are near each other, and nothing is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from rag.text import split_terms
from rag.types import Vector, Vectors

_VERSION = 2


class HashedEmbedder:
    """Deterministic and without weights; a token is one of `rag.text.terms`."""

    id = "hashed"
    weights = f"hashed-{_VERSION}"
    dim = 256
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(split_terms(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return np.array(
            [_vector(split_terms(text)[: self.max_tokens], self.dim) for text in texts], np.float32
        ).reshape(len(texts), self.dim)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)


def _vector(words: Sequence[str], dim: int) -> Vector:
    """Each word adds or takes 1 at the place that its hash names; no words at all: the last axis."""
    vector = np.zeros(dim, np.float32)
    for word in words:
        code = crc32(word.encode("utf-8", "replace"))
        vector[(code >> 1) % dim] += 1 if code & 1 else -1
    if not vector.any():
        vector[-1] = 1
    return vector / np.linalg.norm(vector)
