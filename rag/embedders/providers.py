"""Embedders over the network, whose vectors are kept, and ModelScope's."""

from __future__ import annotations

from rag.embedders import Embedder
from rag.errors import ConfigError

__all__ = ["load"]


def load(kind: str, model: str) -> Embedder:
    """The embedder "kind:model"; raises as `rag.embedders.load_embedder` does."""
    from rag.embedders import modelscope
    from rag.embedders.remote import dashscope, ollama, openai
    from rag.embedders.remote.cache import cached

    match kind:
        case "openai" if model:
            return cached(openai.load(model))
        case "dashscope" if model:
            return cached(dashscope.load(model))
        case "ollama" if model:
            return cached(ollama.load(model))
        case "modelscope" if model:
            return modelscope.load(model)
        case "bge-m3" if not model:
            return modelscope.bge_m3()
        case _:
            wanted = "stands alone" if kind == "bge-m3" else f"needs a model, as in {kind}:NAME"
            raise ConfigError(f"no embedder is called {kind}:{model}: {kind} {wanted}")
