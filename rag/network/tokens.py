"""Tokens as tiktoken counts them, for engines that do not tell their own. No network is asked."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rag.errors import ModelError

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["ENCODINGS", "count", "cut", "encoding_for"]

ENCODINGS = ("o200k_base", "cl100k_base")
"""Those that the catalogue has; the first is for models that tiktoken does not know."""
_CHARACTERS_A_TOKEN = 32  # a text is cut there before it is tokenised
_BLOCK = 50_000  # characters that are counted at once: tiktoken takes time by the square for some text


def encoding_for(model: str, default: str = ENCODINGS[0]) -> Encoding:
    """The encoding of OpenAI's model `model`, `default` for any other.

    Raises ModelError where it cannot be had.
    """
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        name = default
    return _encoding(name if name in ENCODINGS else default)


def count(encoding: Encoding, text: str) -> int:
    """Tokens of `text`, special markers counted as the plain characters they are."""
    blocks = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))
    return sum(len(encoding.encode_ordinary(block)) for block in blocks)


def cut(encoding: Encoding, text: str, limit: int) -> tuple[str, int]:
    """The beginning of `text` that has at most `limit` tokens, and how many it has."""
    head = text[: limit * _CHARACTERS_A_TOKEN]
    ids = encoding.encode_ordinary(head)
    if len(ids) <= limit:
        return head, len(ids)
    return encoding.decode(ids[:limit], errors="ignore"), limit


@cache
def _encoding(name: str) -> Encoding:
    import tiktoken

    from rag.weights.cache import model_path, use_tiktoken_cache

    if not use_tiktoken_cache():
        model_path("tiktoken")
        use_tiktoken_cache()
    try:
        return tiktoken.get_encoding(name)
    except (OSError, ValueError) as exc:
        raise ModelError(f"tiktoken cannot read {name} from TIKTOKEN_CACHE_DIR: unset it, or fill it") from exc
