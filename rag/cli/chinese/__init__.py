"""What errors, reports and usage say, in Chinese: `sentences.toml` has it.

In: an English sentence of ours. Out: the same in Chinese, where it is known.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

__all__ = ["in_chinese", "table", "word_in_chinese"]

_SENTENCES = ("reasons", "errors", "usage")
_GAP = re.compile(r"\{(\w+)\}")


def in_chinese(sentence: str) -> str | None:
    """An English sentence of ours in Chinese, with the reason in its gap `why` too; None where it is not known."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(sentence):
            said = found.groupdict()
            if why := in_chinese(said.get("why", "")):
                said["why"] = why
            return chinese.format(**said)
    return None


def word_in_chinese(word: str) -> str:
    """A word of `rag status`, in English where it has no Chinese."""
    return table()["status"].get(word, word)


@cache
def table() -> dict[str, dict[str, str]]:
    """The sentences, by part: English to Chinese."""
    return tomllib.loads((Path(__file__).parent / "sentences.toml").read_text(encoding="utf-8"))


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Each sentence's pattern; those with fewest gaps first, and of these the longest."""
    pairs = [pair for part in _SENTENCES for pair in table()[part].items()]
    pairs.sort(key=lambda pair: (pair[0].count("{"), -len(pair[0])))
    return [(re.compile(_regex(english), re.DOTALL), chinese) for english, chinese in pairs]


def _regex(english: str) -> str:
    parts = _GAP.split(english)
    return "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
