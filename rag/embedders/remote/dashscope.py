"""`dashscope:` Alibaba's text-embedding-v1 … v4, through DashScope's OpenAI-compatible endpoint.

The key is DASHSCOPE_API_KEY; DASHSCOPE_BASE_URL names the endpoint of another region. Source of the limits:
the reference of the endpoint (https://help.aliyun.com/en/model-studio/text-embedding-synchronous-api).
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.embedders.remote.base import Limits, RemoteEmbedder
from rag.embedders.remote.openai import compatible
from rag.embedders.remote.options import full_name, split_options
from rag.errors import ConfigError
from rag.network.services import endpoint_for


@dataclass(frozen=True, slots=True)
class _Known:
    """The most texts of a request and tokens of a text, and the dimensions; the first dimension is the default."""

    texts: int
    tokens: int
    dimensions: tuple[int, ...]


_MODELS = {
    "text-embedding-v4": _Known(10, 8192, (1024, 2048, 1536, 768, 512, 256, 128, 64)),
    "text-embedding-v3": _Known(10, 8192, (1024, 768, 512)),
    "text-embedding-v2": _Known(25, 2048, (1536,)),
    "text-embedding-v1": _Known(25, 2048, (1536,)),
}


def load(name: str) -> RemoteEmbedder:
    """The model `name`, as in "text-embedding-v3?dimensions=512"; nothing is sent yet.

    Raises ConfigError without a key, and for a model or dimensions that DashScope does not have.
    """
    model, options = split_options(name, ("dimensions",))
    endpoint = endpoint_for(full_name("dashscope", model, options)).require_key()
    known = _MODELS.get(model)
    if known is None:
        raise ConfigError(f"DashScope has no embedding model {model!r}: use {', '.join(_MODELS)}")
    asked = options.get("dimensions")
    if asked and asked not in known.dimensions:
        raise ConfigError(f"{model} has no {asked} dimensions: use {', '.join(map(str, known.dimensions))}")
    limits = Limits(known.tokens, known.texts, known.texts * known.tokens, parallel=4)
    # The older models have one dimension, and no parameter for it.
    sent = asked if len(known.dimensions) > 1 else None
    return compatible(endpoint, model, limits, sent, dim=asked or known.dimensions[0])
