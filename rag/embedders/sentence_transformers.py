"""Any SentenceTransformers model, by catalogue name, hub name or folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.embedders.batches import embed_each
from rag.errors import EmbedderError, MissingExtra, ModelError
from rag.text.sanitise import well_formed
from rag.types import Vectors
from rag.weights.cache import catalogue, model_path
from rag.weights.transfer import sha256_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

_WEIGHTS = (".safetensors", ".bin", ".model", "tokenizer.json", "vocab.txt")
_CHARACTERS_A_TOKEN = 32  # no token is longer in practice: text beyond the limit times this is not tokenised


class SentenceTransformersEmbedder:
    """`name` is how the user called the model, `folder` where its files are."""

    def __init__(self, name: str, folder: Path, model: SentenceTransformer) -> None:
        self.id = f"st:{name}"
        self._folder = folder
        self._model = model

    @classmethod
    def load(cls, name: str) -> SentenceTransformersEmbedder:
        """The model called `name`, fetched if it is missing.

        Raises ModelError where it cannot be had or loaded, MissingExtra without sentence-transformers.
        """
        folder = _folder(name)
        return cls(name, folder, _load(name, folder))

    @cached_property
    def weights(self) -> str:
        """sha256 over the weight and tokenizer files of the folder."""
        files = sorted(path for path in self._folder.rglob("*") if path.name.endswith(_WEIGHTS))
        lines = [f"{path.relative_to(self._folder).as_posix()} {sha256_of(path)}\n" for path in files]
        return sha256("".join(lines).encode()).hexdigest()

    @cached_property
    def dim(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def max_tokens(self) -> int:
        return int(self._model.max_seq_length or 512)

    @property
    def modalities(self) -> Sequence[str]:
        """What it embeds: "text", "image" …"""
        return tuple(str(each) for each in self._model.modalities)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        encoded = self._model.tokenizer([well_formed(text) for text in texts], verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embed(self._model.encode_document, texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed(self._model.encode_query, texts)

    def _embed(self, encode: Any, texts: Sequence[str]) -> Vectors:
        longest = self.max_tokens * _CHARACTERS_A_TOKEN
        cut = [well_formed(text[:longest]) for text in texts]
        return embed_each(cut, self.dim, lambda some: self.encode(some, encode))

    def encode(self, inputs: Sequence[object], encode: Any = None) -> Vectors:
        """Vectors of texts, or of whatever else of `modalities`. Raises EmbedderError."""
        try:
            vectors = (encode or self._model.encode)(inputs, normalize_embeddings=True, show_progress_bar=False)
        except (RuntimeError, ValueError) as exc:
            raise EmbedderError(f"{self.id} could not embed {len(inputs)} texts: {exc}") from exc
        return np.asarray(vectors, np.float32)


def _folder(name: str) -> Path:
    if name in catalogue():
        show_licence(name)
        return model_path(name)
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    return _from_hub(name)


def show_licence(name: str) -> None:
    """Warn where the catalogue's model `name` may not be used for everything."""
    model = catalogue()[name]
    if "Apache" not in model.licence and "MIT" not in model.licence:
        log.warning("%s: licence %s", name, model.licence)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, ignore_patterns=["onnx/*", "openvino/*", "*.h5", "*.msgpack"]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as exc:
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelError(
            f"no embedding model {name!r}: it is not in the catalogue, not a folder, and the hub says: {reason}"
        ) from exc


def _load(name: str, folder: Path) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as exc:
        raise MissingExtra(f"st:{name}", "sentence-transformers") from exc
    try:
        return SentenceTransformer(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as exc:
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelError(f"{folder} is not a SentenceTransformers model that can be loaded: {reason}") from exc
