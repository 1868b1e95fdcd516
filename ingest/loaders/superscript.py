"""Superscripts as letters of their own: "10⁶", "m²", and a note's mark "12⁽³⁾", never a longer number."""

from __future__ import annotations

import re

_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_EXPONENT = re.compile(r"[+\-−]?[0-9n]{1,4}")
_MARK = re.compile(r"[0-9a-z*†‡§,\s]{1,7}", re.IGNORECASE)
# What can be raised to a power: a ten, a short unit or variable, a bracket.
_BASE = re.compile(r"(?:(?<![\d.,])10|(?<![^\W\d_])[^\W\d_]{1,3}|[)\]])$")
_ORDINAL = re.compile(r"(st|nd|rd|th|er|re|e|o|a|ª|º)", re.IGNORECASE)
_HAN = re.compile("[\u3400-\u9fff]$")


def superscript(before: str, text: str) -> str:
    """`text`, which stands raised behind `before`, in letters that cannot be read as part of a number."""
    text = text.strip()
    if _EXPONENT.fullmatch(text) and _BASE.search(before) and not _HAN.search(before):
        return text.translate(_RAISED)
    if not text or not _MARK.fullmatch(text) or (_ORDINAL.fullmatch(text) and before[-1:].isdigit()):
        return text
    if text[0].isdigit() or before[-1:].isdigit():
        return f"⁽{text.translate(_RAISED)}⁾"
    return text
