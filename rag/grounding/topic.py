"""Whether a passage is about what the question is about, and a place speaks of what is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.grounding._tuned import ASKED, DATED_BY, ON_TOPIC
from rag.grounding.support import YEAR
from rag.retrieval.gather import Evidence
from rag.retrieval.passages import Passage, sentences_before
from rag.text import content_terms, embedding_text, meaning_terms, rarity, script
from rag.text.values import find_months
from rag.types import Chunk

_SEVERAL = re.compile(
    r"\b(?:and|or|both|each|between|compar\w+|differ\w*|versus|vs)\b|区别|不同|差异|差别|比较|对比|相比|分别|各自|还是",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(\b[A-Z][A-Za-z]*|[\u4e00-\u9fff]{2})[ -]?(\d+(?:\.\d+)*)(?![\d.,]*\d)")
_YEARS = re.compile(rf"(?<!\d){YEAR.pattern}(?!\d)")
_LISTED = r"\d+\s*(?:[,、/&–-]|and|or|to|和|或|至)\s*"


def on_topic(evidence: Evidence) -> list[Passage]:
    """The passages of `evidence` that speak of what its question is about.

    A model asked about one thing may take the figure of its neighbour: no claim is supported by a chunk about
    Tern 1 and Tern 2 where Tern 3 is asked about. Of a question that one sentence answers and that names no
    document, neither by one of a document whose hits have less than ON_TOPIC of the terms that the best hit has,
    those that are rare among the hits counting more; a passage in another script shares no terms with the question
    and stays.
    """
    question = evidence.question
    if _SEVERAL.search(question.text):
        return list(evidence.passages)
    passages = [p for p in evidence.passages if not _of_another_number(question.text, p.chunk)]
    if not question.is_short or evidence.asked.subject is not None:
        return passages
    held = [question.terms & content_terms(embedding_text(hit.chunk)) for hit in evidence.hits]
    weights = rarity(question.terms, held)
    spoken: dict[str, float] = {}
    for hit, has in zip(evidence.hits, held, strict=True):
        source = hit.chunk.source
        spoken[source] = max(spoken.get(source, 0.0), sum(weights[t] for t in has))
    least = ON_TOPIC * max(spoken.values(), default=0.0)
    return [p for p in passages if spoken.get(p.chunk.source, 0.0) >= least or script(p.text) != question.script]


def _of_another_number(question: str, chunk: Chunk) -> bool:
    """Whether `chunk`, its headings and file name included, has a name of `question` with other numbers alone."""
    text = f"{chunk.source}\n{embedding_text(chunk)}"
    return any(
        re.search(rf"{re.escape(name)}[ -]?\d", text, re.IGNORECASE)
        and not re.search(rf"{re.escape(name)}[ -]?(?:{_LISTED})*{re.escape(n)}(?!\d)", text, re.IGNORECASE)
        for name, n in _NAMED.findall(question)
        if content_terms(name) and not YEAR.fullmatch(n)
    )


def speaks_of_it(evidence: Evidence, places: Sequence[Passage]) -> bool:
    """Whether `places` have ASKED of the question's terms, those counting more that few hits have.

    Of the document that is named everything speaks, so its title does not count; elsewhere headings do. A place in
    another script shares no terms with the question; of a single term it may say "she". What is said of other
    months or years than the question names does not answer it.
    """
    question, subject = evidence.question, evidence.asked.subject
    said, headings = "\n".join(place.text for place in places), places[0].chunk.heading
    if _of_another_time(question.text, said, "\n".join((*headings, sentences_before(places[0], DATED_BY)))):
        return False
    asked = meaning_terms(question.text)
    if subject is not None and subject.proper:
        asked -= meaning_terms(" ".join((subject.title, *subject.names)))
        headings = headings[1:]
    if len(asked) < 2 or any(script(place.text) != question.script for place in places):
        return True
    weights = rarity(asked, [asked & meaning_terms(embedding_text(hit.chunk)) for hit in evidence.hits])
    held = meaning_terms("\n".join((*headings, said)))
    return sum(weights[term] for term in asked & held) >= ASKED * sum(weights.values())


def _of_another_time(question: str, said: str, above: str) -> bool:
    """Whether `said` has months or years, and none of them, nor any `above` it, is the question's."""
    for find in (find_months, lambda text: set(_YEARS.findall(text))):
        asked, own = find(question), find(said)
        if asked and own and not asked & (own | find(above)):
            return True
    return False
