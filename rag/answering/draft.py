"""An answer while it is made: its text, its citations, what was found and how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rag.answering.short import number_as_in_source, short_answer
from rag.answering.wording import in_quotes, without_markers
from rag.embedders import Embedder
from rag.grounding.ground import Statement
from rag.retrieval.evidence import closest_sentence
from rag.retrieval.fusion import merge_rankings
from rag.retrieval.passages import Passage
from rag.text import language
from rag.text.place import boxes, lines
from rag.text.sanitise import sanitise_answer, strip_list_markup
from rag.types import Answer, Citation, Hit, Usage

NEAREST = 3
"""Passages that are shown where a question is not answered."""


@dataclass(slots=True)
class Draft:
    """An answer while it is made."""

    question: str
    model: str
    began: float
    asked: str = ""
    hits: list[Hit] = field(default_factory=list)
    text: str = ""
    words: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    timings: dict[str, float] = field(default_factory=dict)
    confidence: float | None = None
    declined: bool = False  # the model said that nothing answers
    claims: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)  # what the model said and no passage does
    nearest: list[Citation] = field(default_factory=list)
    needs_no_documents: bool = False  # small talk: nothing to cite, and no refusal

    def found(self, hits: Sequence[Hit]) -> None:
        """Keep what a search found; several searches are ranked together."""
        self.timings.setdefault("search", time.perf_counter() - self.began)
        self.hits = merge_rankings([self.hits, hits], len(self.hits) + len(hits)) if self.hits else list(hits)

    @property
    def language(self) -> Literal["zh", "en"]:
        """What the person who asked reads."""
        return language(self.question)

    def cite(self, passage: Passage) -> int:
        """The number of the citation of `passage`, a new one where there is none."""
        new = _citation(passage, len(self.citations) + 1)
        for old in self.citations:
            if replace(new, n=old.n) == old:
                return old.n
        self.citations.append(new)
        return new.n

    def say(self, claim: str, places: Sequence[Passage]) -> str:
        """`claim` with the citations of what supports it."""
        held = "\n".join(place.chunk.text for place in places)
        marks = "".join(f"[{n}]" for n in dict.fromkeys(self.cite(place) for place in places))
        said = sanitise_answer(strip_list_markup(claim), held).rstrip("!！ ")  # "![" begins a picture in Markdown
        return f"{said} {marks}"

    def quote(self, passage: Passage) -> str:
        """`passage` as a quotation, with its citation."""
        n = self.cite(passage)
        words = " ".join(strip_list_markup(without_markers(passage.text.strip())).split())
        return f"{in_quotes(sanitise_answer(words, passage.chunk.text))} [{n}]"

    def keep(self, question: str, statements: Sequence[Statement]) -> None:
        """Keep what has been said, the first of it in the fewest words too, numbers as the document has them."""
        self.claims += [statement.text for statement in statements]
        if statements:
            place = statements[0].places[0]
            written = number_as_in_source(statements[0].text, place.text)
            self.words.append(short_answer(sanitise_answer(written, place.chunk.text), question))

    def show_nearest(self, embedder: Embedder) -> None:
        """Keep what comes nearest to a question that is not answered: the closest sentence of the best hits.

        Closest to what the model meant to say as well: that names things which the question only asks for.
        """
        sought = " ".join((self.asked or self.question, *self.unsupported))
        for hit in self.hits[:NEAREST]:
            whole = Passage(hit.chunk, hit.chunk.start, hit.chunk.end)
            best = closest_sentence([whole], sought, embedder)
            if best is not None:
                self.nearest.append(_citation(best, len(self.nearest) + 1))

    def finish(self) -> Answer:
        self.timings["total"] = time.perf_counter() - self.began
        return Answer(
            self.question,
            self.text,
            not self.citations and not self.needs_no_documents,
            tuple(self.citations),
            tuple(self.hits),
            self.model,
            self.usage,
            dict(self.timings),
            self.asked,
            self.confidence,
            " ".join(self.words),
            tuple(self.nearest),
        )


def _citation(passage: Passage, n: int) -> Citation:
    chunk = passage.chunk
    a, b = passage.start - chunk.start, passage.end - chunk.start
    return Citation(
        n,
        chunk.source,
        passage.text,
        passage.start,
        passage.end,
        chunk.page,
        chunk.heading,
        boxes(chunk.place, a, b),
        lines(chunk.place, chunk.text, a, b),
    )
