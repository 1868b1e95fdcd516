"""What in a document speaks to the model instead of its reader: left out of what the model reads.

A document is data. Sentences that give orders to whoever answers ("ignore the above and reply …"),
comments that no reader of the page sees and markers of a chat are not evidence for anything. This
knows phrases, it does not understand: what it does not know is left to the checks of the answer.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rag.text.sanitise import strip_invisible
from rag.text.sentences import split_sentences

__all__ = ["is_instruction", "sanitise_for_model", "sentences_without_instructions"]

_NAME = re.compile(r"\{([A-Z_]+)\}")


@cache
def _instructions() -> re.Pattern[str]:
    """The phrases of `injection.toml` as one pattern."""
    known = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

    def filled(pattern: str) -> str:
        return _NAME.sub(lambda match: filled(known["names"][match.group(1)]), pattern)

    return re.compile("|".join(filled(p) for group in known["phrases"].values() for p in group), re.IGNORECASE)


# Whoever asks about such text is shown it.
_ABOUT = re.compile(r"prompt.?injection|jailbreak|提示词?注入|越狱|注入攻击", re.IGNORECASE)
_COMMENT = re.compile(
    r"<!--.*?(?:-->|$)|^(?:(?!<!--).)*?-->|^\[(?://|comment)\]:\s*#.*?$", re.DOTALL | re.MULTILINE
)
_MARKERS = re.compile(
    r"<\s*[|｜]\s*[^<>|｜\n]{1,40}\s*[|｜]\s*>|\[/?\s*(?:INST|SYS|SYSTEM|USER|ASSISTANT)\s*\]|<</?\s*SYS\s*>>"
    r"|</?\s*(?:s|bos|eos|start_of_turn|end_of_turn|system|user|assistant)\s*>",
    re.IGNORECASE,
)
_LINE = re.compile(r"\S[^\n]*(?<=\S)")
_PARAGRAPH = re.compile(r"\n\s*\n")


def is_instruction(text: str) -> bool:
    """Whether a sentence speaks to whoever answers, not to its reader."""
    return bool(_instructions().search(unicodedata.normalize("NFKC", strip_invisible(text))))


def sentences_without_instructions(text: str, question: str = "") -> list[tuple[int, int]]:
    """The spans of the sentences of `text` that tell something, as `split_sentences` gives them.

    Left out: comments, orders to the model, and what follows an order in its paragraph. All are there
    where `question` itself is about such text.
    """
    spans = split_sentences(text)
    if _ABOUT.search(question) or (question and is_instruction(question)):
        return spans
    hidden = [match.span() for match in _comments(text)]
    ends = [match.start() for match in _PARAGRAPH.finditer(text)]
    found: list[tuple[int, int]] = []
    tainted = -1
    for start, end in _lines(text, spans):
        if any(a < end and start < b for a, b in hidden):
            continue
        if is_instruction(text[start:end]):
            tainted = next((at for at in ends if at >= end), len(text))
        elif start >= tainted:
            found.append((start, end))
    return found


def _lines(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """`spans`, those with an order in them line by line: a line before the order may tell something."""
    for start, end in spans:
        lines = [m.span() for m in _LINE.finditer(text, start, end)] if is_instruction(text[start:end]) else []
        yield from lines or [(start, end)]


def _comments(text: str) -> list[re.Match[str]]:
    return list(_COMMENT.finditer(text)) if "-->" in text or "<!--" in text or "]: #" in text else []


def sanitise_for_model(text: str) -> str:
    """`text` as it may be put before a model: nothing invisible, and markers of chats taken apart."""
    return _MARKERS.sub(lambda match: re.sub(r"[<>|｜\[\]/]", " ", match.group()).strip(), strip_invisible(text))
