"""What errors, reports and usage say, in Chinese: the files beside this one have it.

In: an English sentence of ours. Out: the same in Chinese, where it is known.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

__all__ = ["in_chinese", "table", "word_in_chinese"]

_SENTENCES = ("reasons", "errors", "stores", "models", "services", "usage", "libraries")
_GAP = re.compile(r"\{(\w+)\}")


def in_chinese(sentence: str) -> str | None:
    """An English sentence of ours in Chinese, its gaps `why…` too; None where it is not known."""
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(sentence):
            said = found.groupdict()
            for gap in said:
                if gap.startswith("why"):
                    said[gap] = in_chinese(said[gap]) or said[gap]
            return chinese.format(**said)
    return None


def word_in_chinese(word: str) -> str:
    """A word of `rag status`, in English where it has no Chinese."""
    return table()["status"].get(word, word)


@cache
def table() -> dict[str, dict[str, str]]:
    """The sentences, by the name of their file: English to Chinese."""
    folder = Path(__file__).parent
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.toml")}


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """Each sentence's pattern; those that say most in words of their own first."""
    pairs = [pair for part in _SENTENCES for pair in table()[part].items()]
    pairs.sort(key=lambda pair: -len(_GAP.sub("", pair[0])))
    return [(re.compile(_regex(english), re.DOTALL), chinese) for english, chinese in pairs]


def _regex(english: str) -> str:
    parts = _GAP.split(english)
    return "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
