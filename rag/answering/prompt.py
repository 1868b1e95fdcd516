"""What is said to a model: files with strict variables, each `{{name}}` filled, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import cache
from itertools import groupby, zip_longest
from pathlib import Path

from rag.errors import ConfigError
from rag.llms import LLM
from rag.retrieval.evidence import Passage
from rag.text import CJK, content_terms
from rag.text.injection import neutral
from rag.types import Message

# Beside the package in a wheel, beside the folder `rag` in a checkout.
_FOLDERS = (Path(__file__).parents[1] / "prompts", Path(__file__).parents[2] / "prompts")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


def render(name: str, **values: str) -> str:
    """The prompt ``prompts/<name>.md`` with `values` in place of its variables.

    Raises ConfigError for a variable without a value, or a value without a variable. Values are
    put in as they are: what looks like a variable inside them stays text.
    """
    template = _template(name)
    wanted = set(_VARIABLE.findall(template))
    if wanted != set(values):
        raise ConfigError(f"prompt {name} takes {sorted(wanted)}, not {sorted(values)}")
    return _VARIABLE.sub(lambda match: values[match.group(1)], template).strip()


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


def turns(name: str, **values: str) -> list[Message]:
    """The prompt ``prompts/<name>.md`` as a conversation: a paragraph a message, the first by the system.

    What follows are questions and answers to go by, and the last question. Values are put in as one paragraph.
    """
    rules, *said = render(name, **{key: " ".join(value.split()) for key, value in values.items()}).split("\n\n")
    return [
        Message("system", rules),
        *(Message("assistant" if i % 2 else "user", text) for i, text in enumerate(said)),
    ]


def reply(llm: LLM, said: Sequence[Message], max_tokens: int) -> str:
    """The first line of what a model answers, "" where it answers nothing."""
    text = "".join(piece.text for piece in llm.stream(said, max_tokens=max_tokens)).strip()
    return text.splitlines()[0].strip() if text else ""


@cache
def _template(name: str) -> str:
    for folder in _FOLDERS:
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"there is no prompt {name}.md in {_FOLDERS[0]} or {_FOLDERS[1]}")
