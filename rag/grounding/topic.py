"""Whether a passage is about what the question is about, and a place speaks of what is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.grounding._tuned import ASKED, ON_TOPIC
from rag.grounding.support import YEAR, stems_of
from rag.retrieval.gather import Evidence
from rag.retrieval.passages import Passage
from rag.text import content_terms, embedding_text, rarity, script
from rag.types import Chunk

_SEVERAL = re.compile(
    r"\b(?:and|or|both|each|between|compar\w+|differ\w*|versus|vs)\b|区别|不同|差异|差别|比较|对比|相比|分别|各自|还是",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(\b[A-Z][A-Za-z]*|[\u4e00-\u9fff]{2})[ -]?(\d+(?:\.\d+)*)(?![\d.,]*\d)")
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
    """Whether `places` have ASKED of what is asked: of the topic's terms, those counting more that few hits have.

    Of the document that is named everything speaks, so its title does not count; elsewhere headings do. A place in
    another script shares no terms with the question; of a single term it may say "she".
    """
    subject = evidence.asked.subject
    skipped = 1 if subject is not None and subject.proper else 0
    asked = stems_of(evidence.asked.topic)
    if len(asked) < 2 or any(script(place.text) != evidence.question.script for place in places):
        return True
    weights = rarity(asked, [asked & stems_of(embedding_text(hit.chunk)) for hit in evidence.hits])
    held = stems_of("\n".join((*places[0].chunk.heading[skipped:], *(place.text for place in places))))
    return sum(weights[term] for term in asked & held) >= ASKED * sum(weights.values())
