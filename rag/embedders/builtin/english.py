"""all-MiniLM-L6-v2 alone: for English, at the speed of the default's first half."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from rag.embedders.builtin import minilm
from rag.types import Vectors
from rag.weights.cache import model_path


class MiniLMEmbedder:
    """English, 384 dimensions, without torch. The model is loaded at first use."""

    id = "minilm"
    dim = minilm.DIM
    max_tokens = minilm.MAX_TOKENS

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: minilm.MiniLM | None = None

    @classmethod
    def load(cls) -> MiniLMEmbedder:
        """The model fetched if it is missing. Raises ModelError if it cannot be fetched."""
        model_path(minilm.NAME)
        return cls()

    @property
    def weights(self) -> str:
        return minilm.identity()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._model().count_tokens(texts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._model().embed(texts)

    def embed_for_index(self, texts: Sequence[str]) -> Vectors:
        return self._model().embed(texts, steady=True)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    def _model(self) -> minilm.MiniLM:
        with self._lock:
            if self._loaded is None:
                self._loaded = minilm.MiniLM.load()
            return self._loaded
