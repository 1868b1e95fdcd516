"""A question to what is read for it: the hits and passages of each thing that it asks about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.embedders import Embedder
from rag.retrieval._tuned import LONGER, NAMING_HITS, SOURCES_OF_A_SUBJECT, WHOLE
from rag.retrieval.evidence import select_evidence
from rag.retrieval.fusion import merge_rankings
from rag.retrieval.passages import Passage
from rag.retrieval.question import Question, read_question
from rag.retrieval.scope import (
    Subject,
    about_one,
    find_name,
    literal,
    named_documents,
    with_companions,
    without_subjects,
)
from rag.retrieval.split import split_question
from rag.types import Hit, Where

__all__ = ["Asked", "Evidence", "ask_each", "find_candidates", "find_hits", "read_hits"]

Search = Callable[[str, int, Where | None], list[Hit]]
"""Question, number of hits, filter → hits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that is asked: the question about it, and of which document where one is named.

    `topic` is what is looked for: inside the documents that are named, the question without their names.
    `several`: the question names others as well, and each is answered by itself.
    """

    question: Question
    topic: str
    subject: Subject | None = None
    several: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found for one thing that is asked, and what is read of it."""

    asked: Asked
    hits: tuple[Hit, ...]
    passages: tuple[Passage, ...] = ()

    @property
    def question(self) -> Question:
        return self.asked.question


def find_candidates(question: Question, search: Search, where: Where | None) -> list[Hit]:
    """The hits in whose documents is looked for what `question` names, and for tables that it asks about."""
    return search(question.text, NAMING_HITS, where)


def ask_each(question: Question, found: Sequence[Hit]) -> list[Asked]:
    """The things that `question` asks about, in order: documents that it names of those found, else its parts."""
    named = named_documents(question.text, (hit.chunk for hit in found))
    proper = [subject for subject in named if subject.proper]
    if len(proper) > 1:
        proper.sort(key=lambda subject: find_name(question.text, subject))
        proper = with_companions(question.text, proper, (hit.chunk for hit in found))
        return [_of_one(question, subject, proper) for subject in proper]
    subject = next(iter(proper or named), None)
    parts = split_question(question.text)
    asked = [question] if len(parts) == 1 else [read_question(part) for part in parts]
    return [Asked(each, without_subjects(each.text, proper), subject) for each in asked]


def _of_one(question: Question, subject: Subject, named: Sequence[Subject]) -> Asked:
    """What `question` asks of `subject`, one of several that are `named`."""
    topic = without_subjects(question.text, named)
    if question.kind == "compare":
        return Asked(question, topic, subject, several=True)
    others = [other for other in named if other is not subject]
    return Asked(read_question(about_one(question.text, subject, others), question.kind), topic, subject, True)


def find_hits(asked: Asked, context: Sequence[str], search: Search, top_k: int, where: Where | None) -> list[Hit]:
    """The hits for one thing that is asked: in the documents that it names, or among all.

    `context` are other wordings to be searched beside it, the turns before of a conversation.
    """
    scoped = asked.subject is not None and asked.subject.proper
    k = top_k if asked.question.is_short and not scoped else LONGER * top_k
    texts = list(dict.fromkeys((asked.topic, *context)))
    scopes: list[Where | None] = [where]
    if asked.subject is not None:
        base = where or Where()
        own: list[Where | None] = [
            replace(base, source=literal(source)) for source in asked.subject.sources[:SOURCES_OF_A_SUBJECT]
        ]
        # What is named by a common word of its title may be told elsewhere as well.
        scopes = own if asked.subject.proper else [*own, where]
    return merge_rankings([search(text, k, scope) for text in texts for scope in scopes], k)


def read_hits(
    asked: Asked, hits: Sequence[Hit], embedder: Embedder, budget: int, count: Callable[[str], int], within: float
) -> Evidence:
    """`hits` with the passages that are read of them, of at most `budget` tokens; a summary's in reading order."""
    whole = 0.0 if asked.question.is_short else WHOLE
    passages = select_evidence(hits, asked.topic, embedder, budget, count, within, whole)
    if asked.question.kind == "summary":
        passages.sort(key=lambda p: (p.chunk.source, p.chunk.position, p.start))
    return Evidence(asked, tuple(hits), tuple(passages))
