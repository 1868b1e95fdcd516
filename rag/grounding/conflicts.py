"""Documents that contradict one another: another source that says the same thing with another figure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.grounding._tuned import ALIKE, DAY
from rag.grounding.ground import Statement
from rag.retrieval.passages import Passage
from rag.text import content_terms, find_numbers, language, split_sentences
from rag.text.numbers import UNIT_WORDS, Figure, find_figures
from rag.text.sanitise import strip_list_markup
from rag.types import Chunk, Document, Hit

__all__ = ["Conflict", "find_conflict", "newer_edition", "resolve_conflict"]


YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


@dataclass(frozen=True, slots=True)
class Conflict:
    """Where another source says otherwise: ``[start, end)`` of the page of `chunk`, and its figure."""

    chunk: Chunk
    start: int
    end: int
    figure: str
    instead_of: str


def find_conflict(
    question: str, claim: str, cited: Chunk, start: int, end: int, hits: Sequence[Hit]
) -> Conflict | None:
    """The best hit of another source that says of the same thing another figure than `claim`, or None.

    ``[start, end)`` of the page of `cited` supports `claim`. What the claim shares with the question is not
    its answer; a sentence that holds the claim's figure as well does not contradict it.
    """
    sentence = cited.text[start - cited.start : end - cited.start]
    said = find_numbers(claim) - find_numbers(question)
    answers = [f for f in find_figures(sentence) if f.value in said]
    if not answers:
        return None
    asked, named = content_terms(question), find_numbers(question)
    for hit in hits:
        if hit.chunk.source == cited.source or language(hit.chunk.text) != language(sentence):
            continue
        for a, b in split_sentences(hit.chunk.text):
            other = hit.chunk.text[a:b]
            if find_numbers(other) & said or not named & find_numbers(sentence) <= find_numbers(
                _whole(hit.chunk, other)
            ):
                continue
            if not asked & _subject(cited, sentence) <= _subject(hit.chunk, other) | named:
                continue
            pair = next(
                (
                    (f, g)
                    for f in answers
                    for g in find_figures(other)
                    if f.unit == g.unit and _sort(f) == _sort(g)
                ),
                None,
            )
            if pair and alike(cited, sentence, hit.chunk, other) >= ALIKE:
                return Conflict(hit.chunk, hit.chunk.start + a, hit.chunk.start + b, pair[1].text, pair[0].text)
    return None


def alike(one: Chunk, sentence: str, two: Chunk, other: str) -> float:
    """How much two sentences speak of the same thing, in [0, 1]: alone, or with the headings they stand under."""
    bare = _shared(_terms(sentence), _terms(other), 3)
    return max(bare, _shared(_subject(one, sentence), _subject(two, other), 2))


def _shared(a: set[str], b: set[str], least: int) -> float:
    return len(a & b) / len(a | b) if min(len(a), len(b)) >= least else 0.0


def _whole(chunk: Chunk, sentence: str) -> str:
    return " ".join((*chunk.heading, sentence))


def _subject(chunk: Chunk, sentence: str) -> set[str]:
    return _terms(_whole(chunk, sentence))


def _terms(text: str) -> set[str]:
    """The terms that say what a text is about: no figures, no units; of Chinese the pairs of characters."""
    return {t for t in content_terms(text) if len(t) > 1 and t not in UNIT_WORDS and not any(map(str.isdigit, t))}


def _sort(figure: Figure) -> str:
    """A year is compared with years alone."""
    return "year" if not figure.unit and YEAR.fullmatch(figure.value) else ""


def newer_edition(one: Chunk, two: Chunk, documents: Mapping[str, Document]) -> Chunk | None:
    """Which of two passages stands in the newer document; None where nothing tells.

    A year in the name or the title of both decides ("policy-2022", "Policy (2025)"), else the time of
    change of the files, where it is a day apart at least.
    """
    years = [_years(chunk) for chunk in (one, two)]
    if all(years) and max(years[0]) != max(years[1]):
        return one if max(years[0]) > max(years[1]) else two
    times = [documents[c.source].modified if c.source in documents else 0 for c in (one, two)]
    if all(times) and abs(times[0] - times[1]) >= DAY:
        return one if times[0] > times[1] else two
    return None


def _asked_for(question: str, one: Chunk, two: Chunk) -> Chunk | None:
    """The passage whose edition `question` names by its year, where only one is of that year."""
    years = set(YEAR.findall(question))
    named = [chunk for chunk in (one, two) if years & set(_years(chunk))]
    return named[0] if len(named) == 1 else None


def _years(chunk: Chunk) -> list[str]:
    return YEAR.findall(" ".join((PurePosixPath(chunk.source).name, *chunk.heading[:1])))


def resolve_conflict(
    question: str, held: Statement, hits: Sequence[Hit], documents: Callable[[], Mapping[str, Document]]
) -> list[Statement]:
    """What is to be said where passages support `held`, statement by statement with the places that are cited.

    The claim alone, unless another source contradicts it: then both, the newer document first where it is
    known. Where the question names the year of one of them, that one alone.
    """
    if len(held.places) != 1:
        return [held]
    cited, place = held.places[0].chunk, held.places[0]
    conflict = find_conflict(question, held.text, cited, place.start, place.end, hits)
    if conflict is None:
        return [held]
    other = Passage(conflict.chunk, conflict.start, conflict.end)
    quoted = Statement(strip_list_markup(other.text), (other,))
    if (edition := _asked_for(question, cited, conflict.chunk)) is not None:
        return [held] if edition is cited else [quoted]
    newest = newer_edition(cited, conflict.chunk, documents())
    tongue = language(question)
    if newest is conflict.chunk:
        return [quoted, Statement(_statement(tongue, cited, conflict.instead_of, "older"), (place,))]
    said = _statement(tongue, conflict.chunk, conflict.figure, "older" if newest else "")
    return [held, Statement(said, (other,))]


_SAYS = {
    "en": (
        "The documents disagree: {name} says “{figure}”.",
        "The documents disagree: {name}, which is older, says “{figure}”.",
    ),
    "zh": ("文档之间有出入：{name} 写的是“{figure}”。", "文档之间有出入：较旧的 {name} 写的是“{figure}”。"),
}


def _statement(tongue: str, chunk: Chunk, figure: str, age: str) -> str:
    return _SAYS[tongue][bool(age)].format(name=PurePosixPath(chunk.source).name, figure=figure)
