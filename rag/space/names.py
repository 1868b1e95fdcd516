"""Names for groups of passages, from the words that set each apart from the others. Pure functions."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from rag.space._tuned import SPECIFIC
from rag.text import CJK, content_terms, stem

__all__ = ["name_groups"]

_RUNS = re.compile(rf"[{CJK}]+|[^\W\d_{CJK}][^\W_{CJK}]*(?:['’-][^\W_{CJK}]+)*|[^\w\s]+|\d+")
_ADDRESS = re.compile(r"\]\([^)]*\)?|https?://\S+|\{#[^}]*\}|<[^<>]*>|^\s*```[^\n]*", re.MULTILINE)
_LETTERS = 800  # of a passage that are read
_LONGEST_CHINESE = 8  # characters of a term
_SHORTEST, _LONGEST = 3, 24  # letters of a word
_WHOLE = 0.6  # a longer term stands for its part where it is found with it at least so often
_LOOKED_AT = 300  # terms of a group that may become its name
# Hardly ever inside a term: a run of Chinese is cut there.
_BETWEEN = re.compile(
    "[的了是在和与或及也都就而于其这那此之以为被把对吗呢吧啊么个一不我你他她它们请要会可将从到让则并等]|有(?!限)|(?<![路自理缘事])由"
)
# With little content where texts are compared, though a question may turn on them.
_COMMON = frozenset(
    """
    actually all also always any anyone anything are back because been both but came can come could day did
    does doing don even ever every everyone everything few first get gets getting give goes going good got
    had has have having her here him his how however i'd i'll i'm i've instead its just know less let like
    little look lot made make makes making many may maybe more most much need never new not nothing now off
    often once one only other our out over own please put quite really said same say says see she should
    since some someone something still such take than that that's their them then there these they thing
    things think this those though time today too try two until upon use used using very want was way we've
    well went were what when which while who why will with without would year years yet you your
    """.split()
)


@dataclass(slots=True)
class _Counts:
    """In how many passages of a group a term is, and how it is written there."""

    passages: int
    terms: Counter[str] = field(default_factory=Counter)
    written: dict[str, str] = field(default_factory=dict)


def name_groups(groups: Sequence[Sequence[str]], words: int = 4) -> list[tuple[str, ...]]:
    """For each group of texts up to `words` terms, the most telling first, none a part or a form of another.

    A term is a word, two words in a row, or two to eight Chinese characters. Its weight is its part in the
    divergence of the group from all groups: the share p of the group's passages that hold it, times log(p / q)
    to the power of `SPECIFIC`, for the share q of all. Source: class-based TF-IDF (Grootendorst 2022), with
    Kullback and Leibler's weight, which leaves out what stands in every passage.
    """
    counts = [_count(texts) for texts in groups]
    everywhere: Counter[str] = Counter()
    for each in counts:
        everywhere.update(each.terms)
    total = sum(each.passages for each in counts)
    return [_best(each, everywhere, total, words) for each in counts]


def _count(texts: Sequence[str]) -> _Counts:
    found = _Counts(len(texts))
    for text in texts:
        once: dict[str, str] = {}
        for term in _terms(_ADDRESS.sub(" ", text[:_LETTERS])):
            once.setdefault(term.lower(), term)
        found.terms.update(once.keys())
        for key, term in once.items():
            found.written.setdefault(key, term)
    return found


def _terms(text: str) -> Iterator[str]:
    before = ""
    for match in _RUNS.finditer(text):
        run = match.group()
        if not run[0].isascii() and re.match(rf"[{CJK}]", run):
            before = ""
            yield from _chinese(run)
        elif _SHORTEST <= len(run) <= _LONGEST and run[0].isalpha() and _has_content(run):
            yield run
            if before:
                yield f"{before} {run}"
            before = run
        else:
            before = ""


@lru_cache(maxsize=1 << 14)
def _has_content(word: str) -> bool:
    small = word.lower().replace("’", "'")
    return small not in _COMMON and small.partition("'")[0] not in _COMMON and bool(content_terms(word))


def _chinese(run: str) -> Iterator[str]:
    """Every piece of a run of Chinese, cut at the characters that have no content of their own."""
    for part in _BETWEEN.split(run):
        for start in range(len(part) - 1):
            for end in range(start + 2, min(start + _LONGEST_CHINESE, len(part)) + 1):
                yield part[start:end]


def _best(counts: _Counts, everywhere: Counter[str], total: int, words: int) -> tuple[str, ...]:
    least = max(2, counts.passages // 20) if counts.passages > 2 else 1
    alone = counts.passages == total
    weights: dict[str, float] = {}
    for term, n in counts.terms.items():
        if n >= least + (" " in term):
            share = n / counts.passages
            weights[term] = (
                share if alone else share * max(0.0, math.log(share * total / everywhere[term])) ** SPECIFIC
            )
    ranked = sorted(weights, key=lambda each: (-weights[each], each))[:_LOOKED_AT]
    chosen: list[str] = []
    for term in ranked:
        if len(chosen) == words or weights[term] <= 0:
            break
        longer = _longest(term, ranked, counts.terms)
        if not any(_parts(longer) & _parts(other) for other in chosen):
            chosen.append(longer)
    return tuple(counts.written[term] for term in chosen)


def _longest(term: str, among: Sequence[str], found: Counter[str]) -> str:
    """The longer term that `term` is mostly a part of, step by step, or itself."""
    while longer := [
        other
        for other in among
        if len(other) > len(term) and _holds(other, term) and found[other] >= _WHOLE * found[term]
    ]:
        term = max(longer, key=lambda other: (len(other), found[other], other))
    return term


def _holds(longer: str, term: str) -> bool:
    return term in (longer.split(" ") if term.isascii() else longer)


def _parts(term: str) -> set[str]:
    """The stems of a term's words, or its pairs of Chinese characters: two terms that share one say the same."""
    if term.isascii():
        return {stem(word) for word in re.split(r"[ '-]", term)}
    return {term[i : i + 2] for i in range(len(term) - 1)}
