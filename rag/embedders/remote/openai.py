"""`openai:` OpenAI's embedding models, and any server with its endpoint (vLLM, llama.cpp, LM Studio).

The address is RAG_OPENAI_EMBEDDINGS_URL, RAG_OPENAI_BASE_URL, OPENAI_BASE_URL or OpenAI's own, in that
order; the key is OPENAI_API_KEY.
Source of the limits: OpenAI's reference of `POST /v1/embeddings` (8,191 tokens a text, 2,048 texts and
300,000 tokens a request).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rag.embedders.remote.base import Limits, RemoteEmbedder
from rag.embedders.remote.options import full_name, split_options
from rag.errors import ConfigError, MissingExtra
from rag.network.budget import keep_budgets
from rag.network.endpoint import Endpoint, close_with, environment, http_address

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

OFFICIAL = "https://api.openai.com/v1"
OFFICIAL_LIMITS = Limits(tokens=8191, texts=2048, request_tokens=300_000, parallel=4)
UNKNOWN_WINDOW = 512
"""The most tokens of a text at a server whose limit is not known; `?max_tokens=` sets another."""

_ADDRESS = ("RAG_OPENAI_EMBEDDINGS_URL", "RAG_OPENAI_BASE_URL", "OPENAI_BASE_URL")
_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


def load(name: str) -> RemoteEmbedder:
    """The model `name`, as in "text-embedding-3-small?dimensions=512"; nothing is sent yet.

    Raises ConfigError for wrong options, and without a key for OpenAI's own endpoint.
    """
    model, options = split_options(name, ("dimensions", "max_tokens"))
    variable = next((v for v in _ADDRESS if environment(v)), _ADDRESS[-1])
    address = http_address(environment(*_ADDRESS) or OFFICIAL, variable)
    key = SecretStr(environment("OPENAI_API_KEY"))
    endpoint = Endpoint(full_name("openai", model, options), address, key, "OPENAI_API_KEY", variable)
    if address == OFFICIAL:
        return _official(endpoint.require_key(), model, options)
    window = options.get("max_tokens", UNKNOWN_WINDOW)
    limits = Limits(window, texts=64, request_tokens=64 * window)
    return compatible(endpoint, model, limits, options.get("dimensions"))


def _official(endpoint: Endpoint, model: str, options: Mapping[str, int]) -> RemoteEmbedder:
    full, asked = _DIMENSIONS.get(model), options.get("dimensions")
    if asked and full and (asked > full or "ada" in model):
        most = f"at most {full:,}" if "ada" not in model else f"always {full:,}"
        raise ConfigError(f"{endpoint.name}: the dimensions of {model} are {most}")
    tokens = min(options.get("max_tokens", OFFICIAL_LIMITS.tokens), OFFICIAL_LIMITS.tokens)
    limits = Limits(tokens, OFFICIAL_LIMITS.texts, OFFICIAL_LIMITS.request_tokens, OFFICIAL_LIMITS.parallel)
    return compatible(endpoint, model, limits, asked, dim=asked or full)


def compatible(
    endpoint: Endpoint, model: str, limits: Limits, dimensions: int | None, dim: int | None = None
) -> RemoteEmbedder:
    """An embedder behind an endpoint like OpenAI's; `dimensions` is what the server is asked for."""
    kind = endpoint.name.partition(":")[0]
    # OpenAI's names mean one model each; a server of the user's may serve any model under a name.
    where = "" if dim else endpoint.host
    identity = f"{kind} {model} {dimensions or 0} {where}"
    return RemoteEmbedder(
        endpoint, lambda: _connect(endpoint, model, limits, dimensions), limits, identity=lambda: identity, dim=dim
    )


def _connect(endpoint: Endpoint, model: str, limits: Limits, dimensions: int | None) -> Embeddings:
    try:
        from langchain_openai import OpenAIEmbeddings
    except ImportError as exc:
        raise MissingExtra(endpoint.name, "langchain-openai") from exc
    given: dict[str, Any] = {"dimensions": dimensions} if dimensions else {}
    made = OpenAIEmbeddings(
        model=model,
        base_url=endpoint.address,
        api_key=endpoint.secret,
        timeout=endpoint.timeout,
        max_retries=0,  # `rag.network.retry` retries
        chunk_size=limits.texts,
        check_embedding_ctx_length=False,  # text, not OpenAI's token ids: no other server knows them
        model_kwargs={"encoding_format": "float"},  # not every server knows base64, the client's default
        **given,
    )
    close_with(made, made.client._client)
    keep_budgets(made)
    return made
