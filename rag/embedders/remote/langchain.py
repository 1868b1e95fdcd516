"""A LangChain `Embeddings` instance as an embedder: passed in Python, not named by a string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.embedders import Embedder
from rag.embedders.remote.base import Limits, RemoteEmbedder
from rag.embedders.remote.cache import cached
from rag.errors import ConfigError
from rag.network.endpoint import Endpoint

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

UNKNOWN_WINDOW = 512
_NAMES = ("model", "model_name", "model_id", "deployment", "repo_id")
_SHAPES = ("dimensions", "output_dimensionality", "truncate_prompt_tokens", "encode_kwargs")


def adopt(embedder: object) -> Embedder:
    """`embedder` if it is one of ours, or a LangChain `Embeddings` wrapped. Raises ConfigError for the rest."""
    if isinstance(embedder, Embedder):
        return embedder
    from langchain_core.embeddings import Embeddings

    if isinstance(embedder, Embeddings):
        return cached(wrap(embedder))
    raise ConfigError(
        f"{type(embedder).__name__} is no embedder: pass a name, an Embedder or a LangChain Embeddings"
    )


def wrap(
    embeddings: Embeddings, *, name: str | None = None, max_tokens: int | None = None, texts: int = 64
) -> RemoteEmbedder:
    """`embeddings` as an embedder: rows of unit length, texts cut at `max_tokens`, `texts` a request.

    Its id is "langchain:" with the class and the model's name, or with `name`: give one where the class
    does not tell which model it is, since an index opens for the same id alone.
    """
    kind = type(embeddings)
    model = _first(embeddings, _NAMES)
    shape = " ".join(f"{key}={value!r}" for key in _SHAPES if (value := getattr(embeddings, key, None)))
    called = name or ":".join(part for part in (kind.__name__, model) if part)
    window = max_tokens or int(getattr(embeddings, "embedding_ctx_length", None) or UNKNOWN_WINDOW)
    identity = f"{kind.__module__}.{kind.__qualname__} {model} {shape} {name or ''}"
    return RemoteEmbedder(
        Endpoint(f"langchain:{called}", ""),
        lambda: embeddings,
        Limits(window, texts, request_tokens=texts * window),
        identity=lambda: identity,
        queries_apart=True,
    )


def _first(thing: Any, names: tuple[str, ...]) -> str:
    values = (getattr(thing, name, None) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")
