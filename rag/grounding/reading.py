"""A text as the checks of `rag.grounding.entailment` look at it: tokens, clauses, negations, figures, marks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache, cached_property, lru_cache
from itertools import islice
from pathlib import Path

from rag.grounding._tuned import SCOPE, SCOPE_ZH
from rag.text import CJK, content_terms, find_figures, language, split_sentences, stem, write_digits

__all__ = ["MONTH", "Quantity", "Reading", "read", "synonyms"]

Quantity = tuple[float, str]
"""A value and its unit, units of one sort in the smallest of it: an hour is (3600, "s")."""

_MARKS = ",;.:!?|，；。：！？、"
_TOKEN = re.compile(
    r"(?:周|星期)[一二三四五六日天]"
    r"|\d+(?:[.:/]\d+)*"
    rf"|[{CJK}]"
    rf"|[^\W\d_{CJK}][^\W_{CJK}]*"
    rf"|[^\W_{CJK}]+"
    rf"|[{_MARKS}]"
)
_ZH = re.compile(rf"[{CJK}]")
_APOSTROPHE = re.compile(r"['’](?=\w)")
_CLAUSE = re.compile(r"[;:。，；：！？!?|\n]|[,.](?!\d)")
# A line break inside a sentence: after a long line, or before an indented one.
_WRAPPED = re.compile(
    rf"(?<=[^\n]{{60}})\n(?=[^\W\d_{CJK}]|\d+(?![.)]))"
    rf"|(?<=[^\n]{{30}}[{CJK}，、])\n(?=[{CJK}])"
    r"|\n(?=  +\w)"
)
_MONTHS = "january february march april may june july august september october november december".split()
MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b(?= \d)|(?<=\d )(?:{'|'.join(_MONTHS)})\b", re.IGNORECASE)
_DIGITS = {c: str(i) for i, c in enumerate("一二三四五六七八九", start=1)} | {"两": "2"}
# Figures that are written in another way than with a numeral and a unit.
_SPELLED: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"\bhalf an? (?=hour|day|year|month|litre|liter|kilo)|半(?=个?(?:小时|月|钟头)|年|天|公斤|升)"),
        "0.5 ",
    ),
    (re.compile(r"\b(\d+|one) and a half\b"), lambda m: f"{m[1].replace('one', '1')}.5"),
    (re.compile("([一二两三四五六七八九])(年|个月|小时|天)半"), lambda m: f"{_DIGITS[m[1]]}.5{m[2]}"),
    (re.compile(r"\b(within|in|after|for|than|least|most|once) an? (hour|day|week|month|year)\b"), r"\1 1 \2"),
    (re.compile(r"\btwice\b"), "2 times"),
    (re.compile(r"\ba dozen\b"), "12"),
    (re.compile("([一二三四五六七八九])成(?!熟|为|功|本|立|都|员)"), r"\g<1>十%"),
    (re.compile(r"\b(\d\d\d\d)-(\d\d)-(\d\d)\b"), lambda m: f"{m[1]} {int(m[2])} {int(m[3])}"),
    (MONTH, lambda m: f"{1 + _MONTHS.index(m[0])}月 "),
    (re.compile(r"\b(\d{1,2})((?::\d\d)?) ?p\.?m\b\.?"), lambda m: f"{int(m[1]) % 12 + 12}{m[2]}"),
    (re.compile(r"(?:下午|晚上)(\d{1,2})(?=[:点时])"), lambda m: f"{int(m[1]) % 12 + 12}"),
    (re.compile(r"(?<=\d):00(?!\d)"), ""),
)
# What is more than four sentences have is not looked at: a document may hold anything.
_CLAUSES, _NEGATORS = 40, 9
_NEAR = 80  # characters after a negation that are looked at: a few words
_AFTER_CJK = re.compile(rf"(?<=[{CJK}])(?=\d)")
_WEEKDAY = re.compile(r"(?:周|星期|礼拜)([一二三四五六日天])|\b(mon|tues|wednes|thurs|fri|satur|sun)days?\b")
_WEEKDAYS = dict(zip("一二三四五六日天", "mon tues wednes thurs fri satur sun sun".split(), strict=True))
_UNITS = {
    "ms": ("s", 0.001), "second": ("s", 1), "minute": ("s", 60), "hour": ("s", 3600), "day": ("s", 86400),
    "week": ("s", 604800), "month": ("month", 1), "year": ("month", 12), "g": ("g", 1), "kg": ("g", 1000),
    "ml": ("ml", 1), "litre": ("ml", 1000), "mm": ("mm", 1), "cm": ("mm", 10), "m": ("mm", 1000),
    "km": ("mm", 1_000_000),
}  # fmt: skip


@lru_cache(4096)
def _stems(text: str) -> tuple[str, ...]:
    """The tokens of `text`, English words cut to their stems; every mark of punctuation is a comma."""
    found = _TOKEN.findall(_APOSTROPHE.sub("", _in_digits(text)))
    return tuple("," if token in _MARKS else stem(token) for token in found)


def _flat(text: str) -> str:
    """The tokens of `text` in one line: English between spaces, Chinese without."""
    return " " + re.sub(rf"(?<=[{CJK}]) (?=[{CJK}])", "", " ".join(_stems(text))) + " "


def _in_digits(text: str) -> str:
    text = text.lower()
    for pattern, plain in _SPELLED:
        text = pattern.sub(plain, text)
    return write_digits(text)


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    """The words of `entailment.toml`."""
    file = Path(__file__).with_name("entailment.toml")
    known: dict[str, dict[str, list[str]]] = tomllib.loads(file.read_text(encoding="utf-8"))
    return known


@cache
def _lexicon(group: str, row: str = "") -> tuple[re.Pattern[str], dict[str, set[str]]]:
    """The phrases of a table as one pattern, the longest first, and the names of the rows that each stands in.

    A pair of opposites makes two rows, "name+" and "name-".
    """
    names: dict[str, set[str]] = {}
    for name, words in _table()[group].items():
        sides = zip(("+", "-"), words, strict=True) if group == "opposites" else (("", words),)
        for sign, phrases in sides:
            for phrase in phrases if not row or name == row else ():
                names.setdefault(_flat(phrase).strip(), set()).add(name + sign)
    flat = sorted(names, key=len, reverse=True)
    latin = "|".join(re.escape(phrase) for phrase in flat if not _ZH.match(phrase))
    chinese = "|".join(phrase for phrase in flat if _ZH.match(phrase))
    return re.compile(rf"(?<= )(?:{latin})(?= )|(?:{chinese})"), names


@cache
def synonyms() -> frozenset[str]:
    """The tokens that stand for words of one meaning."""
    return frozenset(_table()["synonyms"])


@lru_cache(4096)
def _marks(flat: str, group: str, row: str) -> frozenset[str]:
    pattern, names = _lexicon(group, row)
    if group == "universals":
        flat = _lexicon("negation", "spared")[0].sub(" ", flat)
    return frozenset(name for match in pattern.finditer(flat) for name in names[match.group()])


def _unify(flat: str) -> list[str]:
    pattern, names = _lexicon("synonyms")
    return _TOKEN.findall(pattern.sub(lambda match: f" {min(names[match.group()])} ", flat))


class Reading:
    """A text, and what the checks ask of it; made by `read`, which keeps the latest."""

    def __init__(self, text: str) -> None:
        self.text = _WRAPPED.sub(" ", text)

    @cached_property
    def flat(self) -> str:
        return _flat(self.text)

    @cached_property
    def tokens(self) -> list[str]:
        """Stems and Chinese characters in order, one for all words that mean the same; "," for any punctuation."""
        return _unify(self.flat)

    @cached_property
    def content(self) -> set[str]:
        """The tokens that carry meaning."""
        return content_terms(" ".join(self.tokens)) & set(self.tokens)

    @cached_property
    def grams(self) -> set[str]:
        """The tokens that carry meaning, of Chinese characters the pairs."""
        after = zip(self.tokens, self.tokens[1:], strict=False)
        pairs = {a + b for a, b in after if _ZH.match(a) and _ZH.match(b)}
        return {t for t in self.content if not _ZH.match(t)} | content_terms(" ".join(pairs)) & pairs

    @cached_property
    def clauses(self) -> list[Reading]:
        return [read(piece) for piece in islice(filter(_stems, _CLAUSE.split(self.text)), _CLAUSES)]

    @cached_property
    def sentences(self) -> list[Reading]:
        return [read(self.text[a:b]) for a, b in split_sentences(self.text)]

    @cached_property
    def rows(self) -> list[Reading]:
        """The rows of a table without its header, where the text is one."""
        lines = [line for line in self.text.split("\n") if "|" in line]
        return [read(line) for line in islice(filter(_stems, lines[1:]), _CLAUSES)]

    @cached_property
    def negations(self) -> list[tuple[list[str], set[str]]]:
        """What each negation denies: the nearest content tokens after it in its clause, and all of the clause."""
        negator, _ = _lexicon("negation", "words")
        spared, _ = _lexicon("negation", "spared")
        reach = SCOPE_ZH if language(self.text) == "zh" else SCOPE
        found = []
        for clause in self.clauses:
            flat = spared.sub(" ", clause.flat)
            for match in islice(negator.finditer(flat), _NEGATORS):
                rest = [t for t in _unify(" " + flat[match.end() :][:_NEAR]) if t in clause.content]
                found.append((rest[:reach], clause.content))
        return found

    def marks(self, group: str, row: str = "") -> set[str]:
        """The rows of a table of `entailment.toml` that the text has a word of."""
        return set(_marks(self.flat, group, row))

    @cached_property
    def figures(self) -> list[tuple[str, str, Quantity]]:
        """The figures: as they are written, the bare value ("40"), and the quantity."""
        spaced = _AFTER_CJK.sub(" ", _in_digits(self.text))
        return [(f.text, f.value, _quantity(f.value, f.unit)) for f in find_figures(spaced)]

    @cached_property
    def quantities(self) -> set[Quantity]:
        return {quantity for _, _, quantity in self.figures}

    @cached_property
    def weekdays(self) -> set[str]:
        found = _WEEKDAY.findall(self.text.lower())
        return {_WEEKDAYS.get(chinese, english) for chinese, english in found}


def _quantity(value: str, unit: str) -> Quantity:
    base, factor = _UNITS.get(unit, (unit, 1))
    number = float(re.sub(r"[^\d.]|\.(?=.*\.)", "", value))
    return round(number * factor, 6), base


@lru_cache(4096)
def read(text: str) -> Reading:
    """`text` as a `Reading`."""
    return Reading(text)
