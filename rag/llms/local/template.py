"""How messages are written down for a local model, so that text cannot pass for a marker.

A chat template sets turns apart with special tokens (`<|im_end|>`). Were a document that contains
these characters put into the prompt as it is, it could end its turn and speak as the system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rag.types import Message

__all__ = ["breaker", "chatml", "is_chatml", "pieces", "veil"]

Prompt = list[int | str]
"""Token ids, and text that is tokenised item by item: no token reaches over the border of two items."""

_START, _END = "<|im_start|>", "<|im_end|>"
# Also broken where a vocabulary does not list them: the tokenizer knows some by name.
_ALWAYS = r"<[|｜][^<>|｜\s]{1,40}[|｜]>"
_HIDDEN = "\u200b"


def is_chatml(template: str, markers: Mapping[str, int]) -> bool:
    """Whether a model's embedded `template` is ChatML (Qwen and many others)."""
    return _START in template and _END in template and _START in markers and _END in markers


def breaker(markers: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds every one of `markers` in a text, the longest first."""
    known = (re.escape(m) for m in sorted(markers, key=len, reverse=True) if len(m) > 1)
    return re.compile("|".join((*known, _ALWAYS)))


def pieces(text: str, markers: re.Pattern[str]) -> list[str]:
    """`text` cut inside each marker, so that none is left whole; joined again it is `text`, letter for letter."""
    cuts, at = [0], 0
    while found := markers.search(text, at):
        at = found.start() + 1
        cuts.append(at)
    return [piece for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True) if (piece := text[a:b])]


def veil(text: str, markers: re.Pattern[str]) -> str:
    """`text` with a zero-width space inside each marker, for templates that the engine fills in itself."""
    return _HIDDEN.join(pieces(text, markers))


def chatml(messages: Sequence[Message], tokens: Mapping[str, int], markers: re.Pattern[str]) -> Prompt:
    """The ChatML prompt for `messages`; a last message by the assistant is left open, to be continued.

    Source: the template in Qwen2.5's tokenizer_config.json, without its default system message.
    """
    prompt: Prompt = []
    for message in messages:
        prompt += [tokens[_START], *pieces(f"{message.role}\n{message.content}", markers), tokens[_END], "\n"]
    if messages[-1].role == "assistant":
        return prompt[:-2]
    return [*prompt, tokens[_START], "assistant\n"]
