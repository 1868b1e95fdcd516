"""The store as the embedder: an ingest pipeline of its cluster makes vectors, of chunks where they are written.

What is asked is embedded by simulating the same pipeline, so nothing is read or run here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rag.embedders.batches import embed_each
from rag.errors import ConfigError
from rag.network.tokens import count, encoding_for
from rag.text.sanitise import well_formed
from rag.types import Vectors

if TYPE_CHECKING:
    from tiktoken import Encoding

    from rag.embedders import Embedder

__all__ = ["Pipeline", "PipelineEmbedder", "pipeline_of"]

KIND = "pipeline:"
_WINDOW = 384  # tokens as tiktoken counts them: fewer than 512 of the models that such pipelines run
_NOTHING = "."  # sent in place of a blank text, for which a model may return no vector


@runtime_checkable
class Pipeline(Protocol):
    """A store whose cluster can embed. `pipeline` is the name of its ingest pipeline, "" if there is none."""

    @property
    def pipeline(self) -> str: ...

    def definition(self) -> str:
        """The definition of the pipeline, as text. Raises StoreError."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``(n, dim) float32``, rows of unit length, in the order of `texts`. Raises StoreError."""
        ...


class PipelineEmbedder:
    """`rag.embedders.Embedder` by the pipeline of a store; queries and documents are embedded alike.

    `weights` is the sha256 of the pipeline's definition: not of a model that it names, nor of pipelines
    that it calls. `embeds_on_write`: an ingest into that store needs no vectors of its chunks.
    """

    embeds_on_write = True
    max_tokens = _WINDOW

    def __init__(self, store: Pipeline) -> None:
        self._store = store
        self.id = f"{KIND}{store.pipeline}"

    @cached_property
    def weights(self) -> str:
        return sha256(self._store.definition().encode()).hexdigest()

    @cached_property
    def dim(self) -> int:
        return int(self._store.embed(["dimension"]).shape[1])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """As tiktoken counts them: the model's own tokens are not known here."""
        return [count(self._encoding, well_formed(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Raises StoreError."""
        return embed_each([_ready(text) for text in texts], self.dim, self._store.embed)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    @cached_property
    def _encoding(self) -> Encoding:
        return encoding_for("cl100k_base", "cl100k_base")


def _ready(text: str) -> str:
    return well_formed(text) if text.strip() else _NOTHING


def pipeline_of(store: object, named: str | Embedder = "") -> PipelineEmbedder | None:
    """The embedder inside `store`, None where it has none.

    Raises ConfigError where `named` (an embedder's name, or one) is another.
    """
    if not isinstance(store, Pipeline) or not store.pipeline:
        return None
    found = PipelineEmbedder(store)
    name = named if isinstance(named, str) else named.id
    if name and name != found.id:
        raise ConfigError(
            f"the pipeline {store.pipeline} in the index's URL embeds, and so would the embedder {name}: "
            "leave out --embedder (or RAG_EMBEDDER, or that of rag.toml), or take ?pipeline= out of the URL"
        )
    return found
