"""Token counts by tiktoken, for services that do not publish their own tokenizer. Works without a network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rag.errors import ModelError

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["ENCODINGS", "count", "cut", "encoding_for"]

ENCODINGS = ("o200k_base", "cl100k_base")
"""The encodings in the catalogue; the first one serves models that tiktoken does not know."""
_CHARACTERS_A_TOKEN = 32  # no token is longer in practice: text beyond the limit times this is not tokenised
_BLOCK = 50_000  # characters counted at once: for some text, tiktoken's time grows with the square of the length


def encoding_for(model: str, default: str = ENCODINGS[0]) -> Encoding:
    """The encoding of OpenAI's model `model`, `default` for any other.

    Raises ModelError if it cannot be fetched.
    """
    import tiktoken

    try:
        name = tiktoken.encoding_name_for_model(model)
    except KeyError:
        name = default
    return _encoding(name if name in ENCODINGS else default)


def count(encoding: Encoding, text: str) -> int:
    """The number of tokens of `text`; special markers such as <|endoftext|> count as plain characters."""
    blocks = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))
    return sum(len(encoding.encode_ordinary(block)) for block in blocks)


def cut(encoding: Encoding, text: str, limit: int) -> tuple[str, int]:
    """The beginning of `text` with at most `limit` tokens, and its number of tokens."""
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
