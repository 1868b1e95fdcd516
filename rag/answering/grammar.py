"""A grammar that lets a model say only what stands in a passage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Set
from itertools import zip_longest

from rag.text import CJK, content_terms

_UNIT = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:[.,:/'’-][^\W_{CJK}]+)*|\S")
_OPENS, _CLOSES = "“‘「『《$£€¥", "\"”’'」』》)]%°"


def verbatim_grammar(texts: Iterable[str], question: str) -> str:
    """A GBNF grammar of what stands in a row in one of `texts`: whole words, or Chinese characters.

    It does not begin with the question's own words. "" where nothing is left.
    """
    begins: list[str] = []
    rules: list[str] = []
    asked = content_terms(question)
    for text in texts:
        units = list(_UNIT.finditer(text))
        for unit, after in zip_longest(units, units[1:]):
            said, name = unit.group(), f"u{len(rules)}"
            if (said[0].isalnum() or said in _OPENS) and not _is_asked(unit, question, asked):
                begins.append(name)
            rest = f"u{len(rules) + 1}" if after else ""
            if after and after.start() > unit.end():
                rest = f'" " {rest}'
            if after and (said[0].isalnum() or said in _CLOSES):
                rest = f"({rest})?"
            rules.append(f"{name} ::= {json.dumps(said, ensure_ascii=False)} {rest}")
    return "\n".join([f"root ::= {' | '.join(begins)}", *rules]) if begins else ""


def _is_asked(unit: re.Match[str], question: str, asked: Set[str]) -> bool:
    """Whether `unit` is one of the terms `asked` of `question`, or begins three characters in a row of it."""
    if unit.group().isascii():
        return bool(content_terms(unit.group()) & asked)
    return unit.string[unit.start() : unit.start() + 3] in question
