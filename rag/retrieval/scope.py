"""Which documents a question names: a company, a patient, a product or a page, found among their titles.

What is said of one company supports nothing about another. So a question that names documents is searched in them,
each by itself, and passages of others support no claim. A question that has but a common word of a title ("props")
finds those documents more easily, and the others as well.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag.retrieval._tuned import ANOTHER, NAMED, NAMES_MOST, RARE_AMONG_TITLES, SHORT_NAME
from rag.text import content_terms, normalise, split_terms, stem
from rag.types import Chunk

__all__ = [
    "Subject",
    "about_one",
    "find_name",
    "literal",
    "named_documents",
    "with_companions",
    "without_subjects",
]

_PARTS = re.compile(r"[_·|/:：,，、()（）《》“”\"]+|\s[-–—]\s")


_LEGAL_FORMS = {"inc", "ltd", "llc", "plc", "corp", "gmbh", "limited", "incorporated"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question names: the `sources` whose title says so, and the `names` in that title that it has.

    `proper`: named so that nothing else can be meant (a name with a capital or a figure, four Chinese characters).
    """

    title: str
    sources: tuple[str, ...]
    names: tuple[str, ...]
    proper: bool


def named_documents(question: str, chunks: Iterable[Chunk]) -> list[Subject]:
    """The documents that `question` names, of those that `chunks` are from: at most NAMES_MOST, the best first."""
    titles = {chunk.source: chunk.heading[0] for chunk in chunks if chunk.heading}
    parts = {source: [part for part in _PARTS.split(title) if _terms(part)] for source, title in titles.items()}
    frequency = Counter(term for each in parts.values() for term in {t for part in each for t in _terms(part)})
    weights = {term: math.log((len(titles) + 1) / count) for term, count in frequency.items()}
    asked = _terms(question)
    rare = {t for t in asked & weights.keys() if frequency[t] <= max(2, RARE_AMONG_TITLES * len(titles))}
    found = {source: _named(each, question, asked, rare, weights) for source, each in parts.items()}
    return _subjects(question, titles, {source: names for source, names in found.items() if names}, weights)


def _named(
    parts: Sequence[str], question: str, asked: set[str], rare: set[str], weights: Mapping[str, float]
) -> tuple[str, ...]:
    """Those parts of a title that a question has, one of them at least in words that few titles have."""
    names = tuple(part for part in parts if _has(question, part, asked, weights))
    return names if rare & _terms(" ".join(names)) else ()


def _has(question: str, part: str, asked: set[str], weights: Mapping[str, float]) -> bool:
    """Whether `question` has `part`: to the letter where it is short or has an initial, else most of its words."""
    if len(part) <= SHORT_NAME or re.search(r"\b[A-Za-z]\b", part):
        spelled = r"\W+".join(map(re.escape, re.findall(r"\w+", normalise(part))))
        return bool(re.search(rf"(?<![a-z0-9]){spelled}(?![a-z0-9])", normalise(question)))
    terms = _terms(part)
    if sum(weights[t] for t in terms & asked) < NAMED * sum(weights[t] for t in terms):
        return False
    return terms <= asked or not _names_another(question, terms)


_CAPITALS = re.compile(r"\b[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*)+")


def _names_another(question: str, terms: set[str]) -> bool:
    """Whether `question` has a name of several words that begins and ends as `terms` do, with another between.

    "Elmford City Hospital" is not "Elmford General Hospital".
    """
    for run in _CAPITALS.finditer(question):
        held = [bool(_terms(word) & terms) for word in run[0].split()]
        if held[0] and held[-1] and not all(held):
            return True
    return False


def _subjects(
    question: str,
    titles: Mapping[str, str],
    found: Mapping[str, tuple[str, ...]],
    weights: Mapping[str, float],
) -> list[Subject]:
    """Documents of the same names are one subject; one that only repeats a better one's names is none."""
    asked = _terms(question)
    held = {source: frozenset(_terms(" ".join(names)) & asked) for source, names in found.items()}
    worth = {source: sum(weights[t] for t in terms) for source, terms in held.items()}
    subjects: list[Subject] = []
    covered: dict[frozenset[str], int] = {}
    for source in sorted(found, key=lambda s: (-worth[s], s)):
        terms = held[source]
        if terms in covered:
            at = covered[terms]
            one = subjects[at]
            subjects[at] = Subject(one.title, (*one.sources, source), one.names, one.proper)
            continue
        new = sum(weights[t] for t in terms - frozenset().union(*covered))
        if new < ANOTHER * worth[source] or len(subjects) == NAMES_MOST:
            continue
        covered[terms] = len(subjects)
        names = found[source]
        subjects.append(Subject(titles[source], (source,), names, any(_is_proper(n, question) for n in names)))
    return subjects


def _is_proper(name: str, question: str) -> bool:
    """Whether `name` stands in `question` as a name does."""
    if re.search(r"[\u4e00-\u9fff]{4}", name) and name in question:
        return True
    words = [word for word in re.findall(r"[^\W_]+", name) if word.isascii()]
    return any(
        re.search(rf"(?<!^)(?<![.?!] )\b{re.escape(word)}\b", question)
        for word in words
        if (word[0].isupper() or any(map(str.isdigit, word))) and len(word) > 1
    )


def _terms(text: str) -> set[str]:
    """Stems of words, and pairs of Chinese characters: one alone names nothing."""
    return {stem(t) for t in split_terms(text) if len(t) > 1 and t not in _LEGAL_FORMS}


def about_one(question: str, one: Subject, others: Sequence[Subject]) -> str:
    """`question` as it would be asked of `one` alone, the names of `others` and what joined them left out."""
    text = _EACH.sub("", question)
    for other in others:
        for name in (other.title, *other.names):
            if normalise(name) not in normalise(one.title):
                text = _without(text, name)
    return text


_AND = re.compile(r"\s*(?:(?<![a-z])(?:and|or)(?![a-z])|和|与|跟|及|以及|、)\s*")


def with_companions(question: str, subjects: Sequence[Subject], chunks: Iterable[Chunk]) -> list[Subject]:
    """Two `subjects`, each with the name that the question gives beside its own, where documents tell whose it is.

    Of "the judgments of courts A and B, X and Y" X is in the documents of A alone, Y in those of B.
    """
    if len(subjects) != 2:
        return list(subjects)
    texts = [""] * 2
    for chunk in chunks:
        for i, subject in enumerate(subjects):
            if chunk.source in subject.sources:
                texts[i] += f"{chunk.text}\n"
    rest = question
    for name in sorted((name for subject in subjects for name in subject.names), key=len, reverse=True):
        rest = re.sub(_spelled(name), "|", rest)
    for joined in _AND.finditer(rest):
        left, right = _ending(rest[: joined.start()]), _beginning(rest[joined.end() :])
        for one, other in ((left, right), (right, left)):
            names = _known(one, texts[0], texts[1]), _known(other, texts[1], texts[0])
            if all(names):
                return [
                    Subject(subject.title, subject.sources, (*subject.names, name), subject.proper)
                    for subject, name in zip(subjects, names, strict=True)
                ]
    return list(subjects)


def _ending(text: str) -> list[str]:
    """What a name at the end of `text` may be, the longest first: words with capitals, or Chinese characters."""
    if latin := re.search(r"(?:\b[A-Z][\w.'-]*\s+)*\b[A-Z][\w.'-]*$", text):
        words = latin[0].split()
        return [" ".join(words[i:]) for i in range(len(words))]
    run = re.search(r"[\u4e00-\u9fff]{2,6}$", text)
    return [run[0][i:] for i in range(len(run[0]) - 1)] if run else []


def _beginning(text: str) -> list[str]:
    """What a name at the beginning of `text` may be, the longest first."""
    if latin := re.match(r"(?:[A-Z][\w.'-]*\s+)*[A-Z][\w.'-]*", text):
        words = latin[0].rstrip(".").split()
        return [" ".join(words[: i + 1]) for i in reversed(range(len(words)))]
    run = re.match(r"[\u4e00-\u9fff]{2,6}", text)
    every = [run[0][: i + 1] for i in reversed(range(1, len(run[0])))] if run else []
    return [name for name in every if not name.endswith("的")]


def _known(names: Sequence[str], here: str, there: str) -> str:
    """The first of `names` that stands in `here` and not in `there`; "" of none."""
    return next((name for name in names if name in here and name not in there), "")


_EACH = re.compile(r"分别|,?\s*\brespectively\b", re.IGNORECASE)
_JOIN = r"(?:\s*[,，、])?\s*(?:(?<![a-z])(?:and|or|with|versus|vs\.?)(?![a-z])|和|与|跟|及|以及|、)\s*(?:the\s+)?"
_DATED = r"(?:\s+(?:in|on|of|from|during)\s+(?:[A-Z][a-z]+\s+)?(?:19|20)\d\d)?"
_YEAR = r"(?:(?:19|20)\d\d\s?年?的?\s*)?"


def _without(text: str, name: str) -> str:
    """`text` without `name`, and the word that joined it to another."""
    spelled = _spelled(name)
    for pattern in (rf"{_JOIN}{_YEAR}{spelled}{_DATED}", rf"{_YEAR}{spelled}{_DATED}{_JOIN}"):
        shorter = re.sub(pattern, " " if name.isascii() else "", text, count=1, flags=re.IGNORECASE)
        if shorter != text:
            return " ".join(shorter.split())
    return text


_FRAME = re.compile(
    r"^(?:according to|based on|as per|per)\b[^?\d]{0,160}?,\s*(?=[a-z])(?!and\b|or\b)"
    r"|^(?:根据|依据|按照)[^，,？?\d]{0,60}[，,]\s*",
    re.IGNORECASE,
)
"""What says only where to look: "According to the judgment of A and B, ..."."""


def without_subjects(question: str, named: Iterable[Subject]) -> str:
    """`question` without the names of documents, and what says where to look: inside these they tell nothing."""
    text = question
    for name in sorted((name for subject in named for name in subject.names), key=len, reverse=True):
        text = re.sub(_spelled(name) + r"(?:['’]s\b)?", " " if name.isascii() else "", text, flags=re.IGNORECASE)
    asked = _FRAME.sub("", " ".join(text.split())) if text != question else text
    return asked if content_terms(asked) else question


def _spelled(name: str) -> str:
    """A pattern of `name` as it may be written: with or without commas, and with or without its legal form."""
    words = [word for word in re.findall(r"\w+", name) if word.lower() not in _LEGAL_FORMS]
    gap = r"[\s,.'’-]*"
    return gap.join(map(re.escape, words or [name])) + rf"(?:{gap}\b(?:{'|'.join(sorted(_LEGAL_FORMS))})\b)?\.?"


def find_name(text: str, subject: Subject) -> int:
    """Where `text` names `subject`, with or without its legal form; -1 where it does not."""
    found = (re.search(_spelled(name.strip()), text, re.IGNORECASE) for name in subject.names)
    return min((match.start() for match in found if match), default=-1)


def literal(source: str) -> str:
    """A glob that only `source` matches."""
    return re.sub(r"([*?\[])", r"[\1]", source)
