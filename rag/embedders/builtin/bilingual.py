"""The default: all-MiniLM-L6-v2 beside the multilingual Universal Sentence Encoder in one vector.

English is read best by the first; Chinese, other languages and what crosses between languages by the
second. Both are Apache-2.0. A text of another script has nothing in the first block, so that a pair
of texts is compared by both models where both can read it, and by the second alone elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from threading import Lock

import numpy as np
import numpy.typing as npt

from rag.embedders._tuned import LATIN_SHARE
from rag.embedders.builtin import minilm, use
from rag.embedders.builtin.runtime import both
from rag.text import script
from rag.types import Vectors
from rag.weights.cache import model_path

LAYOUT = 1
"""Version of `blocks`, its constants aside."""
_DIM = minilm.DIM + use.DIM
_SCRIPT_CHARACTERS = 8192  # the models read no further


def blocks(first: Vectors, second: Vectors, latin: npt.NDArray[np.bool_]) -> Vectors:
    """``(n, 896)`` unit rows from ``(latin.sum(), 384)`` and ``(n, 512)`` unit rows."""
    vectors = np.zeros((len(second), _DIM), np.float32)
    vectors[latin, : minilm.DIM] = np.sqrt(LATIN_SHARE) * first
    share = np.where(latin, np.sqrt(1 - LATIN_SHARE), 1).astype(np.float32)
    vectors[:, minilm.DIM :] = share[:, None] * second
    return vectors


class BilingualEmbedder:
    """Chinese, English and across them, without torch. Its models are loaded at first use."""

    id = "bilingual"
    dim = _DIM
    max_tokens = minilm.MAX_TOKENS
    cross_script: Mapping[str, float] = dict.fromkeys(("latin", "other"), (1 - LATIN_SHARE) ** 0.5)
    """What a cosine across scripts is of the second model's own: see `blocks`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: tuple[minilm.MiniLM, use.USE] | None = None

    @classmethod
    def load(cls) -> BilingualEmbedder:
        """Both models fetched if they are missing. Raises ModelError where they cannot be had."""
        for name in (minilm.NAME, use.NAME):
            model_path(name)
        return cls()

    @property
    def weights(self) -> str:
        parts = f"{minilm.identity()} {use.identity()} layout {LAYOUT} share {LATIN_SHARE}"
        return sha256(parts.encode()).hexdigest()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of the first model for text in Latin script, of the second for the rest."""
        latin = is_latin(texts)
        counts = np.empty(len(texts), np.int64)
        first, second = self._models()
        counts[latin] = first.count_tokens(_where(texts, latin))
        counts[~latin] = second.count_tokens(_where(texts, ~latin))
        return [int(count) for count in counts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        latin = is_latin(texts)
        first, second = self._models()
        return blocks(first.embed(_where(texts, latin)), second.embed(texts), latin)

    def embed_for_index(self, texts: Sequence[str]) -> Vectors:
        latin = is_latin(texts)
        first, second = self._models()
        return blocks(first.embed(_where(texts, latin), steady=True), second.embed(texts, steady=True), latin)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As documents; both models read a single question at the same time."""
        latin = is_latin(texts)
        if len(texts) > 1 or not latin.all():
            return self.embed_documents(texts)
        first, second = self._models()
        return blocks(*both(lambda: first.embed(texts), lambda: second.embed(texts)), latin)

    def _models(self) -> tuple[minilm.MiniLM, use.USE]:
        """Both models; the first to ask loads them, side by side."""
        with self._lock:
            if self._loaded is None:
                self._loaded = both(minilm.MiniLM.load, use.USE.load)
            return self._loaded


def is_latin(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of `texts` are in Latin script, as far as the models read them."""
    return np.array([script(text[:_SCRIPT_CHARACTERS]) == "latin" for text in texts], bool)


def _where(texts: Sequence[str], those: npt.NDArray[np.bool_]) -> list[str]:
    return [text for text, is_one in zip(texts, those, strict=True) if is_one]
