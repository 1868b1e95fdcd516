"""Text to vectors, by one fixed model for each index.

In: the name of an embedder. Out: an `Embedder`, which takes texts and gives vectors of unit length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from rag.errors import ConfigError
from rag.types import Vectors

__all__ = [
    "CountsCalls",
    "CrossScript",
    "Embedder",
    "EmbedsForIndex",
    "EmbedsOnWrite",
    "EmbedsPictures",
    "InBatches",
    "KeepsVectors",
    "load_embedder",
]


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
        """As `embed_documents`, for questions."""
        ...


@runtime_checkable
class CrossScript(Protocol):
    """An embedder that finds across scripts: Chinese text by an English question, and back."""

    @property
    def cross_script(self) -> Mapping[str, float]:
        """A cosine across scripts as a share of one within a script, in (0, 1], by the script of the question."""
        ...


@runtime_checkable
class EmbedsOnWrite(Protocol):
    """An embedder inside a store: the store computes the vectors of the chunks that are written to it."""

    @property
    def embeds_on_write(self) -> bool: ...


@runtime_checkable
class EmbedsForIndex(Protocol):
    """An embedder whose vectors would differ a little by how many texts are embedded at once."""

    def embed_for_index(self, texts: Sequence[str]) -> Vectors:
        """As `embed_documents`, and a text has the same vector whatever it is embedded with."""
        ...


@runtime_checkable
class EmbedsPictures(Protocol):
    """An embedder that knows pictures beside texts."""

    def embed_pictures(self, paths: Sequence[Path]) -> Vectors:
        """As `embed_documents`, for the pictures in files."""
        ...


@runtime_checkable
class InBatches(Protocol):
    """An embedder that returns each batch of vectors as soon as it is computed."""

    def embed_batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Rows of `texts`, and their vectors."""
        ...


@runtime_checkable
class CountsCalls(Protocol):
    """An embedder that knows how many requests it will make."""

    def calls(self, texts: Sequence[str]) -> int:
        """How many requests `embed_documents` makes for `texts`; nothing is sent."""
        ...


@runtime_checkable
class KeepsVectors(Protocol):
    """An embedder that keeps the vectors it has computed."""

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The distinct `texts` whose vectors are not kept yet."""
        ...


def load_embedder(name: str) -> Embedder:  # noqa: PLR0911, PLR0912
    """The embedder called `name`: "bilingual", "e5", "minilm", "st:<catalogue name, hub name or path>", "hashed",
    "clip:<hub name or path>" (pictures too), "vectors:<word vectors: catalogue name, file or folder>", "bge-m3",
    "modelscope:<id>",
    and over the network "openai:<model>", "dashscope:<model>", "ollama:<model>".

    Vectors of the last three are kept in the user's cache. Raises ConfigError for an unknown kind or a
    missing key, ModelError where the weights cannot be had, MissingExtra, EmbedderError.
    """
    kind, _, model = name.partition(":")
    match kind:
        case "bilingual" if not model:
            from rag.embedders.builtin.bilingual import BilingualEmbedder

            return BilingualEmbedder.load()
        case "e5" if not model:
            from rag.embedders.builtin.e5 import E5Embedder

            return E5Embedder.load()
        case "minilm" if not model:
            from rag.embedders.builtin.english import MiniLMEmbedder

            return MiniLMEmbedder.load()
        case "st" if model:
            from rag.embedders.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder.load(model)
        case "clip" if model:
            from rag.embedders.clip import ClipEmbedder

            return ClipEmbedder.load(model)
        case "vectors" if model:
            from rag.embedders.words import WordsEmbedder

            return WordsEmbedder.load(model)
        case "modelscope" if model:
            from rag.embedders import modelscope

            return modelscope.load(model)
        case "bge-m3" if not model:
            from rag.embedders import modelscope

            return modelscope.bge_m3()
        case "openai" | "dashscope" | "ollama" if model:
            return _remote(kind, model)
        case "openai" | "dashscope" | "ollama" | "modelscope":
            raise ConfigError(f"no embedder is called {name!r}: {kind} needs a model, as in {kind}:NAME")
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
                f"no embedder is called {name!r}: use bilingual, e5, minilm, st:NAME-OR-PATH, clip:NAME-OR-PATH, "
                "vectors:FILE, bge-m3, modelscope:ID, openai:MODEL, dashscope:MODEL, ollama:MODEL "
                "or hashed (for tests)"
            )


def _remote(kind: str, model: str) -> Embedder:
    """The embedder of a service, with its vectors kept in the user's cache."""
    from rag.embedders.remote import dashscope, ollama, openai
    from rag.embedders.remote.cache import cached

    return cached({"openai": openai.load, "dashscope": dashscope.load, "ollama": ollama.load}[kind](model))
