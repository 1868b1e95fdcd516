"""Whether a passage says what a statement does, by rules: no language model, about a millisecond.

A statement agrees unless something speaks against it. Each check looks for one way in which a sentence that reads
like its source differs from it: a figure, a name, a bound, a wider claim, an opposite, a negation, a word put in
place of another, what belongs to one thing attached to another. A check stays only while, over the pairs that it
was not made with (`python -m benchmarks.pairs`), it stops more false statements than true ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from rag.grounding._tuned import ALIGNED, COUNTED, LIKE, LONGEST, OF_BOTH
from rag.grounding.reading import MONTH, Reading, read, synonyms
from rag.text import language, stem

__all__ = ["agrees", "objections"]

_LEAD = re.compile(
    r"^\W*(?:yes|no|是的|不是|不行|不可以|不能|不会|不用|不需要|没有|可以|能|会|有|是|对|否|不)\s*(?:[,，.。:：;；]\s*|$)",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z]+")
_LATIN = re.compile(r"[A-Za-z]+")
_CONTRARY = str.maketrans("+-", "-+")
_DIRECTION = {"least": "up", "over": "up", "most": "down", "under": "down"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A statement, the passage that it is held against, and what is known besides."""

    said: Reading
    source: Reading
    known: Reading

    @property
    def chinese(self) -> bool:
        return language(self.said.text) == "zh"

    def nearest(self, piece: Reading) -> tuple[float, Reading]:
        """The clause of the passage that shares most content with `piece`, and which share of it that is."""

        def shared(clause: Reading) -> tuple[int, int]:
            return len(piece.content & clause.content), -len(clause.content)

        best = max(self.source.clauses, key=shared, default=self.source)
        return len(piece.content & best.content) / max(1, len(piece.content)), best


def agrees(statement: str, passage: str, context: str = "") -> bool:
    """Whether `passage` says what `statement` does; `context` is what is known besides.

    `passage` is one to four sentences, or a table row with its header; `context` the document's title, headings,
    and the question. Across languages only figures, names, bounds, opposites and negation are compared: whether
    such a passage is about the same thing is for an embedder to say.
    """
    return next(objections(statement, passage, context), None) is None


def objections(statement: str, passage: str, context: str = "") -> Iterator[str]:
    """What speaks against `passage` saying `statement`: the check's name and what it found."""
    if len(statement) > LONGEST:
        yield "long: no sentence"
        return
    passage = passage[: 3 * LONGEST]
    compared = Comparison(read(_LEAD.sub("", statement, count=1)), read(passage), read(context))
    for check in _CHECKS if language(statement) == language(passage) else _ACROSS:
        if found := check(compared):
            yield f"{check.__name__.strip('_')}: {found}"


def _figure(c: Comparison) -> str:
    """A figure or a day of the week that the passage does not have, or a figure with another unit only."""
    held = (*c.source.figures, *c.known.figures)
    quantities = {quantity for _, _, quantity in held}
    values = {value for _, value, _ in held}
    bare = values - {value for _, value, (_, unit) in held if unit}
    for text, value, (number, unit) in c.said.figures:
        if (number, unit) in quantities or value in (bare if unit else values):
            continue
        if not unit and re.search(rf"(?<!\d){re.escape(value)}(?!\d)", c.source.flat):
            continue  # "ISO 9001" beside ISO9001
        if number > COUNTED or unit in {other for _, other in quantities}:
            return text  # a small one of a kind that the passage has none of is a count
    return " ".join(c.said.weekdays - c.source.weekdays - c.known.weekdays)


def _name(c: Comparison) -> str:
    """A name that is not there: a capital inside an English sentence, Latin letters inside a Chinese one."""
    if not c.chinese and language(c.source.text) == "zh":
        return ""  # a Chinese text has names in characters
    plain = MONTH.sub("", c.said.text)  # beside a number a month is a figure
    held = f"{c.source.text} {c.known.text} {c.source.flat} {c.known.flat}".lower()
    names = (_LATIN if c.chinese else _NAME).findall(plain)
    return " ".join(name for name in names if name.lower() not in held and f" {stem(name.lower())} " not in held)


def _bound(c: Comparison) -> str:
    """A figure bounded from above where the passage bounds it from below, or the other way round."""
    for piece in c.said.clauses:
        share, near = c.nearest(piece)
        beside = [clause for clause in c.source.clauses if piece.quantities & clause.quantities]
        around = set().union(*map(_directions, beside))
        here = _directions(piece)
        for there in (_directions(near) if share >= ALIGNED else set(), around):
            if here and there and not here & there:
                return piece.text
    return ""


def _directions(reading: Reading) -> set[str]:
    return {_DIRECTION[mark] for mark in reading.marks("bounds")}


def _wider(c: Comparison) -> str:
    """All, always, only, other: a claim that the passage does not make."""
    for piece in c.said.clauses:
        new = piece.marks("universals") - c.source.marks("universals")
        if c.said.negations:
            new -= {"all"}  # "not … any"
        if new:
            return " ".join(new)
    return ""


def _opposite(c: Comparison) -> str:
    """A word whose opposite the passage has in its place."""
    for piece in (c.said, *c.said.clauses):
        share, near = (1.0, c.source) if piece is c.said else c.nearest(piece)
        marks, held = piece.marks("opposites"), near.marks("opposites")
        if share < ALIGNED or bool(piece.negations) != bool(near.negations):
            continue
        for mark in marks - held:
            contrary = mark.translate(_CONTRARY)
            if contrary in held and contrary not in marks:
                return mark
    return ""


def _negation(c: Comparison) -> str:
    """What the statement denies and the passage does not, or the other way round."""
    inner = bool(c.source.marks("negation", "inner"))
    for denied, _ in c.said.negations if not inner else ():
        if not c.source.negations:
            return f"not {denied}"
        if denied and denied[0] in c.source.content - set().union(*(clause for _, clause in c.source.negations)):
            return f"not {denied}"
    for denied, _ in c.source.negations:
        if any(set(denied) <= clause.content and not clause.negations for clause in c.source.clauses):
            continue  # affirmed of one thing, denied of another
        for piece in c.said.clauses:
            affirmed = denied and set(denied) <= piece.content and not piece.negations
            if affirmed and not piece.marks("negation", "inner"):
                return f"affirmed {denied}"
    return ""


def _replaced(c: Comparison) -> str:
    """One word for another where what stands around it is the same."""
    for sentence in c.said.sentences:
        near = max(c.source.sentences, key=lambda held: len(sentence.grams & held.grams), default=c.source)
        old, new = [",", *near.tokens, ","], [",", *sentence.tokens, ","]
        codes = SequenceMatcher(None, old, new).get_opcodes()
        for before, (tag, a, b, i, j), after in zip(codes, codes[1:], codes[2:], strict=False):
            if tag != "replace" or max(b - a, j - i) > (6 if c.chinese else 3):
                continue
            kept = before[2] - before[1], after[2] - after[1]
            at_edge = new[i - 1] == "," or new[j] == ","
            if min(kept) < 2 and not (at_edge and sum(kept) >= 4):
                continue
            if _differ(c, old[a:b], new[i:j], near, sentence):
                return f"{' '.join(new[i:j])} for {' '.join(old[a:b])}"
    return ""


def _differ(c: Comparison, old: list[str], new: list[str], near: Reading, sentence: Reading) -> bool:
    """Whether two short runs of tokens name different things, as far as words tell."""
    if not set(old) <= near.content - synonyms() or not set(new) <= sentence.content - synonyms():
        return False  # a phrase in place of another is a paraphrase as often
    if old[0][0].isdigit() and new[0][0].isdigit():
        same = any(quantity in near.quantities for _, value, quantity in sentence.figures if value == new[0])
        return len(old) == len(new) == 1 or not same
    if c.chinese:
        return min(len("".join(old)), len("".join(new))) >= 2
    return abs(len(old) - len(new)) <= 1


def _mixed(c: Comparison) -> str:
    """What one row or clause says of its subject, said of the subject of another that is like it."""
    table = bool(c.source.rows)
    for parts in (c.source.rows,) if table else (c.source.clauses, c.source.sentences):
        for piece in c.said.sentences if table else c.said.clauses:
            have = piece.grams
            for one, two in combinations([part.grams for part in parts], 2):
                both = one & two
                alike = both & have and len(both) >= LIKE * min(len(one), len(two))
                if not table and not (alike and len(have & (one | two)) >= OF_BOTH * len(have)):
                    continue
                first, second = one - two, two - one
                if have & first and have & second and first - have and second - have:
                    return f"{' '.join(have & first)} with {' '.join(have & second)}"
    return ""


_Check = Callable[[Comparison], str]
_CHECKS: tuple[_Check, ...] = (
    _figure,
    _name,
    _bound,
    _wider,
    _opposite,
    _negation,
    _replaced,
    _mixed,
)
_ACROSS: tuple[_Check, ...] = (_figure, _name, _bound, _opposite)
