"""What follows from the values found for several subjects: which is earlier, higher, or neither; computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.llms import LLM
from rag.llms.prompts import reply, turns
from rag.retrieval.gather import Asked
from rag.retrieval.question import Question, read_question
from rag.retrieval.scope import Subject
from rag.text.values import Value, find_values

__all__ = ["Told", "ask_of_each", "called", "conclude"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of one subject, sentence by sentence."""

    subject: Subject
    claims: tuple[str, ...]


_X = re.compile(r"(?<![A-Za-z])X(?![A-Za-z])")
SINGLE_TOKENS = 50
"""Of a question about one thing, at most."""


def ask_of_each(question: Question, each: Sequence[Asked], llm: LLM) -> list[Asked]:
    """What `question` asks of several, asked of each alone: "When was X lit?" for which was lit earlier.

    A small model that reads "which is earlier" says that this one is, whatever it reads. Where it cannot rewrite
    the question, `each` stays as it is.
    """
    put = reply(llm, turns(f"single.{question.language}", question=question.text), SINGLE_TOKENS)
    put = _COMPARATIVE.sub("", put)
    single = read_question(put)
    if len(_X.findall(put)) != 1 or single.kind == "compare" or single.language != question.language:
        return list(each)
    return [
        replace(
            asked,
            question=read_question(_X.sub(called(asked.subject), put), "fact"),
            topic=f"{_X.sub('', put)} {asked.topic}",
        )
        for asked in each
        if asked.subject is not None
    ]


def called(subject: Subject) -> str:
    """The names by which a question calls `subject`."""
    return ", ".join(name.strip() for name in subject.names).replace("\\", "")


# What the question compares by: the words, whether the greater value is wanted, and how the answer names it.
_BY = (
    (
        r"\bearlier\b|\bfirst\b|\bolder (?:edition|version)\b|更早|先(?!生)",
        False,
        "Earlier: {name}.",
        "更早的是{name}。",
    ),
    (r"\blater\b|\bmore recent(?:ly)?\b|更晚|更迟|更近", True, "Later: {name}.", "更晚的是{name}。"),
    (r"\bolder\b|年龄更大|年纪更大", True, "Older: {name}.", "年龄更大的是{name}。"),
    (r"\byounger\b|年龄更小|更年轻", False, "Younger: {name}.", "年龄更小的是{name}。"),
    (
        r"\b(?:higher|greater|more|larger|bigger|longer|faster|heavier)\b|更[高多大长快重]",
        True,
        "The greater is that of {name}.",
        "{name}更{word}。",
    ),
    (
        r"\b(?:lower|less|fewer|smaller|shorter|slower|cheaper|lighter)\b|更[低少小短慢轻]",
        False,
        "The smaller is that of {name}.",
        "{name}更{word}。",
    ),
)
_WORD_ZH = re.compile(r"更([高多大长快重低少小短慢轻])")
_SAME = {"en": "They are the same.", "zh": "两者相同。"}


_COMPARATIVE = re.compile("|".join(f"\\s*(?:{words})" for words, *_ in _BY), re.IGNORECASE)


def conclude(question: Question, told: Sequence[Told]) -> str:
    """The sentence that compares what was said of each subject; "" where nothing can be computed.

    Values are compared where each subject has exactly one, of the same sort and unit, that the question does not
    have.
    """
    by = next((row for row in _BY if re.search(row[0], question.text, re.IGNORECASE)), None)
    if by is None or len(told) < 2:
        return ""
    values = [_value(each, question) for each in told]
    if any(value is None for value in values):
        return ""
    known = [value for value in values if value is not None]
    if len({(value.sort, value.unit) for value in known}) > 1:
        return ""
    amounts = [value.amount for value in known]
    if len(set(amounts)) == 1:
        return _SAME[question.language]
    best = max(amounts) if by[1] else min(amounts)
    if amounts.count(best) > 1:
        return ""
    name = _name(told[amounts.index(best)].subject, question)
    word = _WORD_ZH.search(question.text)
    return (
        by[3].format(name=name, word=word[1] if word else "")
        if question.language == "zh"
        else by[2].format(name=name)
    )


def _value(told: Told, question: Question) -> Value | None:
    """The one value that was said of a subject; a date before any other."""
    asked = {value.amount for value in find_values(question.text)}
    found = [v for claim in told.claims[:2] for v in find_values(claim) if v.amount not in asked]
    dates = [value for value in found if value.sort == "date"]
    chosen = list(dict.fromkeys(dates or found))
    return chosen[0] if len(chosen) == 1 else None


def _name(subject: Subject, question: Question) -> str:
    """What the question calls a subject: the last of the names in its title."""
    named = [name.strip() for name in subject.names if name.strip() in question.text]
    return named[-1] if named else subject.title
