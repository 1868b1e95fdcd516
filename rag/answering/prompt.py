"""What is said to a model: files with strict variables, each `{{name}}` filled, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import groupby, zip_longest

from rag.llms.prompts import render, turns
from rag.retrieval.passages import Passage
from rag.text import CJK, content_terms
from rag.text.injection import neutral
from rag.types import Message


def messages(question: str, passages: Sequence[Passage], tongue: str) -> list[Message]:
    """What is said to the model, in the language `tongue`: rules and examples, then the passages, the question."""
    shown = "\n".join(_shown(passages))
    return [
        *turns(f"answer.{tongue}"),
        Message("user", render(f"question.{tongue}", passages=shown, question=question)),
    ]


def _shown(passages: Sequence[Passage]) -> Iterator[str]:
    """The passages of each chunk under a number, and under its headings where they change: each token is time."""
    above = ""
    for i, (chunk, group) in enumerate(groupby(passages, key=lambda passage: passage.chunk), start=1):
        text = "\n".join(passage.text for passage in group)
        path = " > ".join(title for title in chunk.heading if title not in text)
        yield neutral(f"[{i}] ({path}) {text}" if path not in ("", above) else f"[{i}] {text}")
        above = path


_UNIT = re.compile(rf"[{CJK}]|[^\W_{CJK}]+(?:[.,:/'’-][^\W_{CJK}]+)*|\S")
_OPENS, _CLOSES = "“‘「『《$£€¥", "\"”’'」』》)]%°"


def in_a_row(texts: Iterable[str], question: str) -> str:
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
