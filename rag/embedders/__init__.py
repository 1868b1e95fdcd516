"""Text to vectors, by one fixed model for each index.

In: the name of an embedder. Out: an `Embedder`, which takes texts and gives vectors of unit length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rag.errors import ConfigError
from rag.types import Vectors

__all__ = ["Embedder", "load_embedder"]


@runtime_checkable
class Embedder(Protocol):
    """What turns text into vectors. `tests/contracts/embedder.py` is its contract.

    `id` and `weights` (a sha256 over the weight files) go into the index's manifest; `max_tokens`
    is the window, in tokens as `count_tokens` counts them: a longer text would be cut.
    """

    @property
    def id(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, the markers that the model adds included."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """``(n, dim) float32``, rows of unit length, in the order of `texts`."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As `embed_documents`, for what is asked."""
        ...


def load_embedder(name: str) -> Embedder:
    """The embedder called `name`: "bilingual", "minilm", "st:<catalogue name, hub name or path>", "hashed",
    "bge-m3", "modelscope:<id>", and over the network "openai:<model>", "dashscope:<model>", "ollama:<model>".

    Vectors of the last three are kept in the user's cache. Raises ConfigError for an unknown kind or a
    missing key, ModelError where the weights cannot be had, MissingExtra, EmbedderError.
    """
    kind, _, model = name.partition(":")
    match kind:
        case "bilingual" if not model:
            from rag.embedders.builtin.bilingual import BilingualEmbedder

            return BilingualEmbedder.load()
        case "minilm" if not model:
            from rag.embedders.builtin.english import MiniLMEmbedder

            return MiniLMEmbedder.load()
        case "st" if model:
            from rag.embedders.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder.load(model)
        case "openai" | "dashscope" | "ollama" | "modelscope" | "bge-m3":
            from rag.embedders.providers import load

            return load(kind, model)
        case "langchain":
            raise ConfigError(f"{name!r} is a LangChain instance: pass it in Python, as RAG.open(embedder=…)")
        case "pipeline" if model:
            raise ConfigError(
                f"{name!r} embeds inside Elasticsearch: name it in the index's URL, "
                f"as in elasticsearch://HOST/NAME?pipeline={model}"
            )
        case "hashed" if not model:
            from rag.embedders.hashed import HashedEmbedder

            return HashedEmbedder()
        case _:
            raise ConfigError(
                f"no embedder is called {name!r}: use bilingual, minilm, st:NAME-OR-PATH, bge-m3, "
                "modelscope:ID, openai:MODEL, dashscope:MODEL, ollama:MODEL or hashed (for tests)"
            )
