"""What differs between two texts, word by word; of Chinese, character by character. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from rag.text import CJK

__all__ = ["Difference", "find_differences"]

_PIECES = re.compile(rf"[{CJK}]|[^\W{CJK}]+(?:[.,'’][^\W{CJK}]+)*|\S|\s+")
_MOST = 4000  # pieces of a text that are compared: the time grows with their product


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` stands in the first text where `after` stands in the second; one of them may be empty."""

    before: str
    after: str


def find_differences(first: str, second: str) -> list[Difference]:
    """The places where `second` differs from `first`, in order; spaces and line breaks alone do not count."""
    a, b = (_PIECES.findall(" ".join(text.split()))[:_MOST] for text in (first, second))
    steps = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    changed = [("".join(a[i:j]).strip(), "".join(b[k:m]).strip()) for op, i, j, k, m in steps if op != "equal"]
    return [Difference(*pair) for pair in changed if pair[0] != pair[1]]
