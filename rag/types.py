"""The nouns: what flows from a file to an answer. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:  # `rag --help` does not wait for numpy
    import numpy as np
    import numpy.typing as npt

Vectors: TypeAlias = "npt.NDArray[np.float32]"
"""``(n, dim) float32``, rows of unit length."""

Vector: TypeAlias = "npt.NDArray[np.float32]"
"""``(dim,) float32`` of unit length."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a page: `offset` is where the section it opens begins in the page's text."""

    offset: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a file as a loader reads it: a page of a PDF, a row of a table, or the whole text.

    `number` is the page as a viewer counts it (from 1), or None where the format has no pages.
    `headings` lie in order of offset. `label` names a record inside a table ("row 12"). `title` is the
    document's, on its first page; the heading path of each of its chunks begins with it. `place` is where
    its words stand: `rag.text.place`. `offset` is where `text` begins in the page, where that is too long to be
    handed on in one piece (`ingest.long_pages`). `ocr` is how sure OCR was of the text, in (0, 1]; 0 for text that
    the file itself holds.
    """

    text: str
    number: int | None = None
    headings: tuple[Heading, ...] = ()
    label: str | None = None
    title: str = ""
    place: str = ""
    offset: int = 0
    ocr: float = 0.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage small enough for the embedder's window: the unit that is searched and cited.

    `start` and `end` are half-open character offsets into the text of its page (of the record for
    a table, of the whole file where there are no pages), so that ``page.text[start:end] == text``.
    `position` counts the chunks of one source from 0. `place` is where its words stand: `rag.text.place`.
    """

    source: str
    text: str
    start: int
    end: int
    position: int = 0
    page: int | None = None
    heading: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A file in the index. `source` is its name there, `path` where it was read (absolute).

    `modified` is the file's time of change in nanoseconds since 1970; `type` its format ("pdf").
    """

    source: str
    path: str
    sha256: str
    size: int
    modified: int
    type: str
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index was made with. An index opens with exactly the embedder that filled it.

    `terms` is the version of the lexical terms (`rag.text.TERMS`), `chunker` the splitter's settings.
    """

    embedder: str
    weights: str
    dim: int
    metric: str = "cosine"
    terms: int = 1
    chunker: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Where:
    """Which chunks a search may return: source glob, file type, page range (inclusive).

    Those of the sources named in `exclude` are left out; these are names, not globs.
    """

    source: str | None = None
    type: str | None = None
    pages: tuple[int, int] | None = None
    exclude: frozenset[str] = frozenset()

    def lets_through(self, source: str, kind: str) -> bool:
        """Whether a document of this name and file type may be found, on whatever page."""
        return (
            source not in self.exclude
            and (self.type is None or kind == self.type)
            and (self.source is None or fnmatchcase(source, self.source))
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate of one side of the search: the store's chunk id and that side's score (higher is better)."""

    id: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search returned; `score` in [0, 1], higher is better, `rank` from 1.

    `dense` is the cosine and `lexical` the BM25 score it was fused from, None where that side did
    not return it. `also` are worse hits that say nothing else: copies of `chunk` in this file or another.
    """

    rank: int
    score: float
    chunk: Chunk
    dense: float | None = None
    lexical: float | None = None
    also: tuple[Chunk, ...] = ()

    @property
    def source(self) -> str:
        """The file of the chunk, as the index names it."""
        return self.chunk.source

    @property
    def text(self) -> str:
        """The text of the chunk."""
        return self.chunk.text

    def as_json(self) -> dict[str, Any]:
        """What `rag search --json` shows of it."""
        chunk = self.chunk
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "source": chunk.source,
            "page": chunk.page,
            "heading": " > ".join(chunk.heading),
            "start": chunk.start,
            "end": chunk.end,
            "text": chunk.text,
            "also": [{"source": c.source, "page": c.page, "start": c.start, "end": c.end} for c in self.also],
        }


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a line on a page, in points from the top left corner of the page as it is shown.

    `page` counts from 1 as a viewer does; of an image, points are its pixels.
    """

    page: int
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class Citation:
    """What supports an answer: `quote` stands letter for letter in `source`, at ``[start, end)`` of `page`.

    `boxes` are where it stands on the pages of a PDF or an image, a box a line; `lines` the first and last line
    (from 1) of a text file.
    """

    n: int
    source: str
    quote: str
    start: int
    end: int
    page: int | None = None
    heading: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()
    lines: tuple[int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """What `rag ask --json` shows of it."""
        return {
            "n": self.n,
            "source": self.source,
            "page": self.page,
            "heading": " > ".join(self.heading),
            "quote": self.quote,
            "start": self.start,
            "end": self.end,
            "boxes": [asdict(box) for box in self.boxes],
            "lines": self.lines,
        }


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of what is said to a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written by the language model; `cached` of the prompt's were reused.

    `cost` in US dollars, None where the model's price is not known.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            sum(costs) if costs else None,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the documents support, or a refusal (`refused`, and then no citations).

    Every ``[n]`` in `text` has a citation with that `n`. `timings` are seconds by stage. `asked` is the
    form of a follow-up question that was searched, empty where that is the question as it was asked.
    `confidence` is the probability that the documents answer, None where the model tells none. `short` is
    the answer in the fewest words, without citations and quotations; empty for a refusal, an overview of the
    documents, and where no model wrote. `nearest` are, for a refusal, the sentences that come nearest to the
    question: they do not answer it, but may show where to look.
    """

    question: str
    text: str
    refused: bool
    citations: tuple[Citation, ...] = ()
    hits: tuple[Hit, ...] = ()
    model: str = "none"
    usage: Usage = Usage()
    timings: Mapping[str, float] = field(default_factory=dict)
    asked: str = ""
    confidence: float | None = None
    short: str = ""
    nearest: tuple[Citation, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `rag ask --json` shows of it."""
        return {
            "question": self.question,
            "asked": self.asked or self.question,
            "answer": self.text,
            "short": self.short,
            "refused": self.refused,
            "citations": [citation.as_json() for citation in self.citations],
            "nearest": [citation.as_json() for citation in self.nearest],
            "hits": [hit.as_json() for hit in self.hits],
            "model": self.model,
            "usage": asdict(self.usage),
            "timings": {stage: round(seconds, 4) for stage, seconds in self.timings.items()},
        }
