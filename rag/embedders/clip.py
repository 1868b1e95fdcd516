"""Pictures and texts in one space: CLIP models, by hub name, ModelScope id or folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np

from rag.embedders.pictures import open_picture
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.errors import EmbedderError, LoadError, ModelError
from rag.types import Vectors

__all__ = ["ClipEmbedder"]

_SIDE = 512  # no model of the kind looks at more pixels a side
_AT_ONCE = 32  # pictures


class ClipEmbedder:
    """Texts by one model and pictures by another, which are the same unless two are named.

    A text model may have been trained beside a CLIP model's pictures, as one for fifty languages was.
    """

    def __init__(
        self, name: str, texts: SentenceTransformersEmbedder, pictures: SentenceTransformersEmbedder
    ) -> None:
        self.id = f"clip:{name}"
        self._texts, self._pictures = texts, pictures
        if "image" not in pictures.modalities:
            raise ModelError(
                f"{name} knows no pictures: name a CLIP model, or one for texts and one for pictures, "
                "as clip:TEXTS+PICTURES"
            )
        if texts.dim != pictures.dim:
            raise ModelError(
                f"the two models of {name} do not belong together: {texts.dim} and {pictures.dim} numbers"
            )

    @classmethod
    def load(cls, name: str) -> ClipEmbedder:
        """The model called `name`: a hub's name, "modelscope:ID" or a folder; or two of them, "TEXTS+PICTURES".

        Raises ModelError where it cannot be had or knows no pictures, MissingExtra without sentence-transformers.
        """
        one, _, other = (name, "", "") if Path(name).expanduser().is_dir() else name.partition("+")
        texts = _load(one)
        return cls(name, texts, _load(other) if other else texts)

    @cached_property
    def weights(self) -> str:
        """sha256 of the weights of both models."""
        return sha256(f"{self._texts.weights} {self._pictures.weights}".encode()).hexdigest()

    @property
    def dim(self) -> int:
        return self._texts.dim

    @property
    def max_tokens(self) -> int:
        return self._texts.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._texts.count_tokens(texts)

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._texts.embed_documents(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._texts.embed_queries(texts)

    def embed_pictures(self, paths: Sequence[Path]) -> Vectors:
        """``(n, dim)``, rows of unit length. Raises EmbedderError for a file that is no picture."""
        rows = np.empty((len(paths), self.dim), np.float32)
        for at in range(0, len(paths), _AT_ONCE):
            some = paths[at : at + _AT_ONCE]
            rows[at : at + len(some)] = self._pictures.encode([_opened(path) for path in some])
        return rows


def _load(name: str) -> SentenceTransformersEmbedder:
    hub, _, model = name.partition(":")
    if hub == "modelscope":
        from rag.embedders.modelscope import fetched

        return SentenceTransformersEmbedder.load(str(fetched(model)))
    return SentenceTransformersEmbedder.load(name)


def _opened(path: Path) -> object:
    try:
        return open_picture(path, _SIDE)[0]
    except LoadError as exc:
        raise EmbedderError(f"the picture {path} cannot be embedded: {exc}") from exc
