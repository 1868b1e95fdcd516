"""An answer while it is made: its text, its citations, what was found and how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rag.answering.short import number_as_in_source, short_answer
from rag.answering.wording import in_quotes, quotation, without_markers
from rag.retrieval.fusion import merge_rankings
from rag.retrieval.passages import Passage
from rag.text.place import boxes, lines
from rag.text.sanitise import sanitise_answer
from rag.types import Answer, Chunk, Citation, Hit, Usage


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

    def found(self, hits: Sequence[Hit]) -> None:
        """Keep what a search found; several searches are ranked together."""
        self.timings.setdefault("search", time.perf_counter() - self.began)
        self.hits = merge_rankings([self.hits, hits], len(self.hits) + len(hits)) if self.hits else list(hits)

    def cite(self, passage: Passage, start: int, end: int) -> int:
        """The number of the citation for ``[start, end)`` of `passage`'s page, a new one where there is none."""
        chunk = passage.chunk
        quote = chunk.text[start - chunk.start : end - chunk.start]
        a, b = start - chunk.start, end - chunk.start
        new = Citation(
            len(self.citations) + 1,
            chunk.source,
            quote,
            start,
            end,
            chunk.page,
            chunk.heading,
            boxes(chunk.place, a, b),
            lines(chunk.place, chunk.text, a, b),
        )
        for old in self.citations:
            if replace(new, n=old.n) == old:
                return old.n
        self.citations.append(new)
        return new.n

    def say(self, claim: str, support: Passage, enough: float) -> str:
        """`claim` with its citation, and with the words of `support` unless it holds `enough` of them itself."""
        n = self.cite(support, support.start, support.end)
        quote = sanitise_answer(quotation(claim, support.text, enough), support.chunk.text)
        beside = f" {quote}" if quote and quote not in self.text else ""
        said = sanitise_answer(claim, support.chunk.text).rstrip("!！ ")  # "![" begins a picture in Markdown
        return f"{said} [{n}]{beside}"

    def quote(self, passage: Passage) -> str:
        """`passage` as a quotation, with its citation."""
        n = self.cite(passage, passage.start, passage.end)
        return f"{in_quotes(sanitise_answer(without_markers(passage.text.strip()), passage.chunk.text))} [{n}]"

    def in_short(self, question: str, text: str, chunk: Chunk, start: int, end: int) -> None:
        """Keep what is said in the fewest words, numbers as the document writes them."""
        written = number_as_in_source(text, chunk.text[start - chunk.start : end - chunk.start])
        self.words.append(short_answer(sanitise_answer(written, chunk.text), question))

    def finish(self) -> Answer:
        self.timings["total"] = time.perf_counter() - self.began
        return Answer(
            self.question,
            self.text,
            not self.citations,
            tuple(self.citations),
            tuple(self.hits),
            self.model,
            self.usage,
            dict(self.timings),
            self.asked,
            self.confidence,
            " ".join(self.words),
        )
