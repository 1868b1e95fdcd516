"""`ollama:` an embedding model that Ollama serves (`POST /api/embed`), at OLLAMA_HOST or on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.embedders.remote.base import Limits, RemoteEmbedder
from rag.embedders.remote.options import full_name, split_options
from rag.errors import EmbedderError, MissingExtra
from rag.network.budget import keep_budgets
from rag.network.endpoint import Endpoint, close_with
from rag.network.ollama import details, endpoint_for

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

UNKNOWN_WINDOW = 512
_MOST = 8192  # the largest window that is requested, in tokens: a larger one only costs memory
_SPECIAL = 2  # tokens that a model adds


def load(name: str) -> RemoteEmbedder:
    """The model `name`, as in "mxbai-embed-large" or "nomic-embed-text:v1.5?max_tokens=2048".

    The server is asked for the model's window, at which texts are cut. Its digest in the index
    shows whether the weights are the same. Raises EmbedderError if the server or the model is not there.
    """
    model, options = split_options(name, ("dimensions", "max_tokens"))
    endpoint = endpoint_for(full_name("ollama", model, options))
    known = details(endpoint, model, EmbedderError)
    window = min(known.window or UNKNOWN_WINDOW, options.get("max_tokens", _MOST), _MOST)
    dimensions = options.get("dimensions")
    identity = f"ollama {model} {dimensions or 0} {known.digest or endpoint.host}"
    return RemoteEmbedder(
        endpoint,
        lambda: _connect(endpoint, model, window, dimensions),
        Limits(window - _SPECIAL, texts=32, request_tokens=32 * window),
        identity=lambda: identity,
    )


def _connect(endpoint: Endpoint, model: str, window: int, dimensions: int | None) -> Embeddings:
    try:
        from langchain_ollama import OllamaEmbeddings
    except ImportError as exc:
        raise MissingExtra(endpoint.name, "langchain-ollama", "ollama") from exc
    given: dict[str, Any] = {"dimensions": dimensions} if dimensions else {}
    made = OllamaEmbeddings(
        model=model,
        base_url=endpoint.address,
        num_ctx=window,
        client_kwargs={"timeout": endpoint.timeout},
        **given,
    )
    close_with(made, made._client)
    keep_budgets(made)
    return made
