"""Messages as a prompt for a local model, so that text cannot act as a marker.

A chat template separates turns by special tokens (`<|im_end|>`). If a document with these characters went
into the prompt unchanged, it could end its turn and speak as the system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from rag.types import Message

__all__ = ["chatml", "hide_markers", "is_chatml", "marker_pattern", "split_at_markers"]

Prompt = list[int | str]
"""Token ids, and text that is tokenised item by item: no token spans two items."""

_START, _END = "<|im_start|>", "<|im_end|>"
# Split even if a vocabulary does not list them: the tokenizer knows some by name.
_ALWAYS = r"<[|｜][^<>|｜\s]{1,40}[|｜]>"
_HIDDEN = "\u200b"


def is_chatml(template: str, markers: Mapping[str, int]) -> bool:
    """Whether a model's embedded `template` is ChatML (Qwen and many others)."""
    return _START in template and _END in template and _START in markers and _END in markers


def marker_pattern(markers: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds every one of `markers` in a text, the longest first."""
    known = (re.escape(m) for m in sorted(markers, key=len, reverse=True) if len(m) > 1)
    return re.compile("|".join((*known, _ALWAYS)))


def split_at_markers(text: str, markers: re.Pattern[str]) -> list[str]:
    """`text` cut inside each marker, so that no marker stays whole; the pieces joined are `text` again."""
    cuts, at = [0], 0
    while found := markers.search(text, at):
        at = found.start() + 1
        cuts.append(at)
    return [piece for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True) if (piece := text[a:b])]


def hide_markers(text: str, markers: re.Pattern[str]) -> str:
    """`text` with a zero-width space inside each marker, for templates that the engine fills itself."""
    return _HIDDEN.join(split_at_markers(text, markers))


def chatml(messages: Sequence[Message], tokens: Mapping[str, int], markers: re.Pattern[str]) -> Prompt:
    """The ChatML prompt for `messages`; a last message by the assistant stays open, to be continued.

    Source: the template in Qwen2.5's tokenizer_config.json, without its default system message.
    """
    prompt: Prompt = []
    for message in messages:
        prompt += [
            tokens[_START],
            *split_at_markers(f"{message.role}\n{message.content}", markers),
            tokens[_END],
            "\n",
        ]
    if messages[-1].role == "assistant":
        return prompt[:-2]
    return [*prompt, tokens[_START], "assistant\n"]
