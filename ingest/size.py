"""How large a chunk is: what the settings say, the embedder's window, or what one vector can stand for."""

from __future__ import annotations

from ingest.chunk import Chunker
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import ConfigError

MOST = 512
"""Tokens of a chunk unless the settings say otherwise, however large the window: one vector for a whole
chapter finds none of its sentences, and a few such chunks would fill the language model's prompt."""


def chunker_for(embedder: Embedder, settings: Settings) -> Chunker:
    """The chunker for `embedder`; raises ConfigError where `chunk_tokens` does not fit its window."""
    if 0 < settings.chunk_tokens < 16 or settings.chunk_tokens > embedder.max_tokens:
        raise ConfigError(
            f"chunk_tokens must lie between 16 and the embedder's window of {embedder.max_tokens}, "
            f"not {settings.chunk_tokens}"
        )
    return Chunker(embedder.count_tokens, settings.chunk_tokens or min(embedder.max_tokens, MOST))
