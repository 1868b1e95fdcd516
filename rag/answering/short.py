"""An answer in its fewest words."""

from __future__ import annotations

import re
from collections.abc import Set
from itertools import takewhile

from rag.retrieval.question import ASKING
from rag.text import find_numbers, language, split_terms

_ASIDE = re.compile(r"\s*[(（][^()（）]*[)）]$")
_LINK_ZH = re.compile(r"^[，,：:\s]*(?:的?[是为]|了)?[，,：:\s]*")


def short_answer(claim: str, question: str) -> str:
    """`claim` without what `question` says itself: the rest of its sentence, the kind of thing that it asks for.

    A Chinese question is a statement with a gap, and an answer stands where the question's word stands: to
    "甲由什么组成？", "甲由乙组成。" says "乙", and to "甲做什么？", "甲乙。" does. To "In what century …?", "the
    20th century" says "the 20th", and to "What is the hall called?", "The hall is called Red House" says "Red
    House". An aside in brackets at its end ("Red House (1859)") is left out.
    """
    said, asked = claim.strip().rstrip(" .。"), question.strip().rstrip(" ？?。")
    said = _ASIDE.sub("", said) or said
    gaps = [match.start() for match in ASKING.finditer(asked)]
    taken = [(_taken_up(said, asked[:end]), gap) for gap in gaps for end in (gap, max(gap - 1, 0))]
    start, gap = max(taken, default=(0, 0))
    if start < 2:
        return _without_kind(_without_echo(said, asked), asked)
    rest = said[start:]
    shared = _shared_beginning(rest[::-1], asked[gap:][::-1])
    return _LINK_ZH.sub("", rest[: len(rest) - shared] if shared > 1 else rest).strip("，,：: ") or said


_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_LINKS = frozenset(
    "a an and are as at be because been by did do does for from had has have in is it its of on that the their"
    " they this to was were when which who with".split()
)
_STEM = 5
"""Letters that two forms of an English word share ("facilitate", "facilitated")."""


def _without_echo(said: str, asked: str) -> str:
    """`said`, in English, without the clause that it begins or ends with and `asked` has as well."""
    if language(said) == "zh":
        return said
    known = {term[:_STEM] for term in split_terms(asked)}
    words = list(_WORD.finditer(said))
    new = [i for i, word in enumerate(words) if any(_is_new(term, known) for term in split_terms(word.group()))]
    if not new:
        return said
    first, last = words[new[0]], words[new[-1]]
    opening = len(said[: first.start()].rstrip("\"“‘'($£€"))
    start = opening if _is_clause(said[:opening]) else 0
    end = last.end() if _is_clause(said[last.end() :]) else len(said)
    return said[start:end].strip()


def _is_new(term: str, known: Set[str]) -> bool:
    return term not in _LINKS and term[:_STEM] not in known


def _is_clause(text: str) -> bool:
    """Whether `text` has at least two words of meaning, and one that links them: no mere name ("State Route")."""
    words = set(split_terms(text))
    return len(words - _LINKS) >= 2 and bool(words & _LINKS - {"a", "an", "the", "of"})


_KIND = re.compile(
    r"\b(?:what|which|how\s+many)\s+(?:(?:type|kind|sort|form)s?\s+of\s+)?([a-z]+)(?:[ -]([a-z]+))?", re.IGNORECASE
)


def _without_kind(said: str, asked: str) -> str:
    """`said`, in English, without the noun at its end that the question has after "what".

    Names keep theirs ("Leeds University"). So does Chinese, where the noun is part of most names (欧盟法律).
    """
    kinds = [f"{gap}{kind}" for one, two in _KIND.findall(asked) for kind in (f"{one} {two}", one) for gap in " -"]
    shorter = (said.removesuffix(kind).rstrip(" -") for kind in kinds if said.endswith(kind))
    return next(filter(None, shorter), said)


_DIGITS = re.compile(r"(?<![\w.,])\d+(?:st|nd|rd|th)?(?![\w]|[.,]\d)")
_SPELLED = re.compile(r"[A-Za-z]+(?:-[a-z]+)?|[零〇一二两三四五六七八九十百千万亿]+")


def number_as_in_source(claim: str, support: str) -> str:
    """`claim` with its numbers in words where `support` has them so and not in digits ("4" as "four")."""

    def word(match: re.Match[str]) -> str:
        digits, written = match.group(), _SPELLED.findall(support)
        wanted = find_numbers(digits)
        spelled = (each for each in written if find_numbers(each if each.isascii() else f"{each}个") == wanted)
        return digits if wanted & find_numbers(" ".join(_DIGITS.findall(support))) else next(spelled, digits)

    return _DIGITS.sub(word, claim)


def _taken_up(said: str, before: str) -> int:
    """Characters of the longest beginning of `said` that `before` ends with."""
    return next((n for n in range(min(len(said), len(before)), 0, -1) if before.endswith(said[:n])), 0)


def _shared_beginning(one: str, two: str) -> int:
    """Characters that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))
