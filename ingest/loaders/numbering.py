"""The numbers that Word gives to paragraphs of lists and to clauses ("2.2", "(b)", "第三条")."""

from __future__ import annotations

import re
from typing import Any

from ingest.loaders.wordml import qn, value

_LEVEL = re.compile(r"%([1-9])")
_HAN = "零一二三四五六七八九"


class Numbering:
    """Counts through a document; `label` must be asked for its paragraphs in order."""

    def __init__(self, root: Any | None, styles: Any | None) -> None:
        self._lists: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._of: dict[str, str] = {}  # number → the list it counts in
        abstract = (
            {} if root is None else {e.get(qn("w:abstractNumId")): e for e in root.iter(qn("w:abstractNum"))}
        )
        for number in root.iter(qn("w:num")) if root is not None else ():
            key = str(number.get(qn("w:numId")))
            named = value(number, "w:abstractNumId")
            if (found := abstract.get(named)) is not None:
                self._lists[key] = dict(map(_level, found.iter(qn("w:lvl"))))
                restarted = number.find(f".//{qn('w:startOverride')}") is not None
                self._of[key] = key if restarted else f"abstract {named}"
        self._styles = {} if styles is None else {
            str(style.get(qn("w:styleId"))): found
            for style in styles.iter(qn("w:style"))
            if (found := _numbered(style)) is not None
        }  # fmt: skip

    def label(self, paragraph: Any) -> str:
        """The number of a paragraph as Word shows it, "" where it has none; bullets are "•"."""
        own = _numbered(paragraph)
        properties = paragraph.find(qn("w:pPr"))
        style = (value(properties, "w:pStyle") or "") if properties is not None else ""
        key, level = own or self._styles.get(style) or ("", 0)
        levels = self._lists.get(key, {})
        if level not in levels:
            return ""
        counts = self._counts.setdefault(self._of[key], {})
        counts[level] = counts.get(level, levels[level][2] - 1) + 1
        for deeper in [each for each in counts if each > level]:
            del counts[deeper]
        kind, pattern, _ = levels[level]
        if kind == "bullet":
            return "•"
        if kind == "none":
            return ""

        def shown(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            return _written(counts.get(at, levels.get(at, ("", "", 1))[2]), levels.get(at, ("decimal", "", 1))[0])

        return _LEVEL.sub(shown, pattern)


def _numbered(element: Any) -> tuple[str, int] | None:
    """The list and level that a paragraph or style states."""
    properties = element.find(f"{qn('w:pPr')}/{qn('w:numPr')}")
    key = value(properties, "w:numId") if properties is not None else None
    if key is None:
        return None
    level = value(properties, "w:ilvl") or "0"
    return key, int(level) if level.isdigit() else 0


def _level(element: Any) -> tuple[int, tuple[str, str, int]]:
    start = value(element, "w:start") or "1"
    kind, text = value(element, "w:numFmt") or "decimal", value(element, "w:lvlText") or ""
    at = str(element.get(qn("w:ilvl")))
    return int(at) if at.isdigit() else 0, (kind, text, int(start) if start.isdigit() else 1)


def _written(number: int, kind: str) -> str:
    if kind in ("lowerLetter", "upperLetter") and number > 0:
        letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letters if kind == "lowerLetter" else letters.upper()
    if kind in ("lowerRoman", "upperRoman") and 0 < number < 4000:
        roman = _roman(number)
        return roman if kind == "upperRoman" else roman.lower()
    if kind.startswith(("chinese", "japaneseCounting", "ideograph", "taiwanese")) and 0 < number < 100:
        tens, ones = divmod(number, 10)
        return ("" if tens < 2 else _HAN[tens]) + ("十" if tens else "") + (_HAN[ones] if ones else "")
    return str(number)


def _roman(number: int) -> str:
    parts = []
    for worth, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        count, number = divmod(number, worth)
        parts.append(letters * count)
    return "".join(parts)
