"""A cache of vectors by embedder and text, so that no text is sent, and paid for, twice.

RAG_VECTOR_CACHE      the file (default: vectors.sqlite in the user's cache folder for ragstone), or "off"
RAG_VECTOR_CACHE_MB   its largest size, 2,000 unless set: the oldest vectors go first
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from rag.embedders import CountsCalls, Embedder, InBatches
from rag.embedders.remote.vectorfile import VectorFile
from rag.network.endpoint import environment, whole_number
from rag.types import Vectors

__all__ = ["CachedEmbedder", "cached"]

_PART = 256  # texts that are embedded between two writes, for an embedder without batches of its own


def cached(embedder: Embedder) -> Embedder:
    """`embedder` with its vectors kept in the user's cache, unless RAG_VECTOR_CACHE is "off"."""
    named = environment("RAG_VECTOR_CACHE")
    if named.lower() == "off":
        return embedder
    most = whole_number("RAG_VECTOR_CACHE_MB", 2000, "megabytes") * 1_000_000
    return CachedEmbedder(embedder, VectorFile(Path(named).expanduser() if named else _default(), most))


def _default() -> Path:
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("ragstone", appauthor=False), "vectors.sqlite")


class CachedEmbedder:
    """`inner`, with the vectors of documents kept in `file`; questions are not kept.

    The key is the embedder's id and weights and the text's sha256. What was embedded before a failure
    is kept.
    """

    def __init__(self, inner: Embedder, file: VectorFile) -> None:
        self.inner, self._file = inner, file

    def __repr__(self) -> str:
        return f"CachedEmbedder({self.inner!r})"

    @property
    def id(self) -> str:
        return self.inner.id

    @property
    def weights(self) -> str:
        return self.inner.weights

    @property
    def dim(self) -> int:
        return self.inner.dim

    @property
    def max_tokens(self) -> int:
        return self.inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self.inner.count_tokens(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.inner.embed_queries(texts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        keys = [_key(text) for text in texts]
        known = self._file.read(self._mine, list(set(keys)), self.dim)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        for part, vectors in self._embed(missing):
            new = dict(zip(part, vectors, strict=True))
            self._file.keep(self._mine, new)
            known.update(new)
        return np.stack([known[key] for key in keys])

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The distinct `texts` whose vectors are not in the cache."""
        keys = {_key(text): text for text in texts}
        known = self._file.read(self._mine, list(keys))  # of any dimension, which would have to be asked for
        return [text for key, text in keys.items() if key not in known]

    def calls(self, texts: Sequence[str]) -> int:
        """How many requests it takes to embed `texts`, none of which is in the cache."""
        return self.inner.calls(texts) if isinstance(self.inner, CountsCalls) else 0

    def _embed(self, missing: dict[bytes, str]) -> Iterator[tuple[list[bytes], Vectors]]:
        """Keys and their vectors, as soon as the inner embedder has them."""
        keys, texts = list(missing), list(missing.values())
        if isinstance(self.inner, InBatches):
            for rows, vectors in self.inner.embed_batches(texts):
                yield [keys[row] for row in rows], vectors
            return
        for start in range(0, len(texts), _PART):
            yield keys[start : start + _PART], self.inner.embed_documents(texts[start : start + _PART])

    @property
    def _mine(self) -> bytes:
        return sha256(f"{self.id}\0{self.weights}".encode()).digest()


def _key(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
