"""Which script and language a text is in."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Literal

# Written without spaces between words: Han, kana and (for its bigrams) Hangul.
CJK = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
CJK_CHAR = re.compile(rf"[{CJK}]")
_NOT_LATIN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
_FOREIGN_SHARE = 0.1  # more than this share of a text's letters not Latin: it is not for a Latin model


def normalise(text: str) -> str:
    """NFKC (full-width forms become plain ones) in lower case, for comparing text."""
    return unicodedata.normalize("NFKC", text).lower()


@cache
def _simplified() -> dict[int, int]:
    """Traditional characters and their simplified forms. Source: OpenCC's TSCharacters."""
    table = tomllib.loads((Path(__file__).parent / "simplified.toml").read_text(encoding="utf-8"))
    traditional, simplified = ("".join(table[name].split()) for name in ("traditional", "simplified"))
    return str.maketrans(traditional, simplified)


def simplify(text: str) -> str:
    """`text` with traditional Chinese characters in their simplified form, one for one, and 〇 as 零."""
    return text if text.isascii() else text.translate(_simplified())


def script(text: str) -> Literal["latin", "other"]:
    """Whether a model of Latin script can read `text`: at most a tenth of its letters are of other scripts."""
    letters = sum(map(str.isalpha, text))
    foreign = len(_NOT_LATIN.findall(text))
    return "other" if foreign > _FOREIGN_SHARE * max(letters, 1) else "latin"


def language(text: str) -> Literal["zh", "en"]:
    """The language to speak with whoever wrote `text`: Chinese as soon as there is some Chinese in it.

    A question such as "Vue 的 ref 怎么用？" has few Chinese characters and is Chinese all the same.
    """
    cjk = len(CJK_CHAR.findall(text))
    words = len(re.findall(r"[A-Za-z]+", text))
    return "zh" if cjk > 0 and 2 * cjk >= words else "en"
