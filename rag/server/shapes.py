"""What `/api` takes and gives, as JSON. The field descriptions are the documentation page's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rag.server.documents.passages import part_of, to_corners
from rag.types import Answer, Chunk, Citation, Hit

Name = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Question = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Index = Annotated[str | None, Field(max_length=60, description="An index's name; the first where none is given.")]
Sources = Annotated[list[Name], Field(max_length=64, description="Only these documents; all where it is empty.")]


class Shape(BaseModel):
    """A JSON object of ours: no other fields are taken."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Shape):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorShape(Shape):
    """An error as OpenAI's clients read it."""

    error: ErrorDetail


class Place(Shape):
    """A passage: where it stands, and its words. `start` and `end` count characters of the page's text."""

    n: int = Field(description="Its number in the answer, [n]; for a passage that was found, its rank.")
    source: str
    title: str
    page: int | None
    heading: list[str]
    quote: str
    start: int
    end: int
    boxes: list[list[float]] = Field(
        description="Of a citation on its page: [left, top, right, bottom] of each line, in points."
    )
    lines: tuple[int, int] | None = Field(description="Of a citation in a text file: its first and last line.")
    score: float | None = Field(description="How well it fits the question, 0 to 1.")
    url: str = Field(description="This server's page, opened at this place.")


class Turn(Shape):
    question: Annotated[str, StringConstraints(max_length=4000)]
    answer: Annotated[str, StringConstraints(max_length=20_000)]


class AskRequest(Shape):
    question: Question
    index: Index = None
    sources: Sources = []
    history: Annotated[list[Turn], Field(max_length=50)] = []
    strictness: Annotated[float | None, Field(ge=0, le=1)] = None
    quote: bool = Field(False, description="Passages alone: no language model writes.")


class SearchRequest(Shape):
    question: Question
    index: Index = None
    sources: Sources = []
    k: Annotated[int, Field(ge=1, le=100)] = 10


class SearchReply(Shape):
    hits: list[Place]
    seconds: float


class AnswerShape(Shape):
    """The `done` event of `/api/ask`."""

    question: str
    asked: str
    text: str
    short: str
    refused: bool
    confidence: float | None
    citations: list[Place]
    nearest: list[Place] = Field(description="For a refusal: the passages that come nearest.")
    suggestions: list[str] = Field(description="Headings nearby that one could ask about next.")
    model: str
    usage: dict[str, int]
    timings: dict[str, float]


class SourceShape(Shape):
    source: str
    type: str
    size: int
    modified: int = Field(description="Time of change, nanoseconds since 1970.")
    chunks: int
    uploaded: bool = Field(description="Whether it came through this server, which then keeps the file.")
    again: bool = Field(description="Whether this server may read it again.")
    readable: bool = Field(description="Whether the file is still as it was read.")


class SourcesReply(Shape):
    sources: list[SourceShape]


class Forgotten(Shape):
    forgotten: str


class RowShape(Shape):
    row: str
    text: str


class TextReply(Shape):
    """One page of a document as text, and where a passage stands in it."""

    source: str
    title: str
    type: str
    page: int | None
    pages: list[int] = Field(
        description="The numbers of all pages that hold text; empty where there are no pages."
    )
    part: str | None = Field(description="The row of a table, or the like, that `text` is.")
    rows: list[RowShape] = Field(description="For a table: the rows near this one.")
    text: str
    headings: list[tuple[int, int, str]] = Field(description="(offset, level, title) of each heading in the text.")
    first: int = Field(description="Where in the whole text this piece begins.")
    total: int
    start: int | None = Field(description="Where the passage begins in `text`; null where it was not found.")
    end: int | None
    width: float | None = Field(description="Of the drawn page in points; null where it cannot be drawn.")
    height: float | None
    boxes: list[list[float]]
    whole: bool = Field(description="False where the file is gone or changed: then this is what the index keeps.")


class UploadReply(Shape):
    name: str
    bytes: int


class IngestRequest(Shape):
    index: Index = None
    uploads: Annotated[list[Name], Field(max_length=10_000)] = []
    sources: Annotated[list[Name], Field(max_length=1000, description="Documents to read again.")] = []
    paths: Annotated[
        list[Name], Field(max_length=100, description="Folders and files of the server's machine.")
    ] = []


class FileShape(Shape):
    name: str
    state: Literal["waiting", "reading", "read", "unchanged", "skipped", "failed", "stopped"]
    reason: str = ""


class JobShape(Shape):
    id: str
    index: str
    state: Literal["waiting", "running", "done", "failed", "stopped"]
    done: int
    files: int
    chunks: int
    share: float = Field(description="How much of what there is to read was read, 0 to 1.")
    seconds: float
    error: str
    report: dict[str, int]
    problems: list[FileShape]


class JobsReply(Shape):
    jobs: list[JobShape]


class IndexShape(Shape):
    name: str
    documents: int
    chunks: int
    embedder: str
    error: str = ""


class StatusReply(Shape):
    version: str
    indexes: list[IndexShape]
    llm: str
    strictness: float
    roots: list[str]
    suffixes: list[str]
    max_upload: int
    answering: int
    waiting: int
    jobs: int


class Health(Shape):
    status: Literal["ok"]
    version: str


def place_url(base: str, index: str, chunk: Chunk | Citation) -> str:
    """Our page's address at this passage."""
    where: dict[str, Any] = {"source": chunk.source, "start": chunk.start, "end": chunk.end, "index": index}
    if chunk.page is not None:
        where["page"] = chunk.page
    if (part := part_of(chunk.heading)) is not None:
        where["part"] = part
    return f"{base}#{urlencode(where, quote_via=quote)}"


def title_of(chunk: Chunk | Citation) -> str:
    """What a passage's document is called: its heading path begins with the title, else it is the file's name."""
    first = next(iter(chunk.heading), "")
    return PurePosixPath(chunk.source).name if not first or first.startswith("row ") else first


def citation_place(citation: Citation, hits: Sequence[Hit], base: str, index: str) -> Place:
    scores = [hit.score for hit in hits if _holds(hit.chunk, citation)]
    place = _place(citation.n, citation, citation.quote, max(scores, default=None), base, index)
    return place.model_copy(update={"boxes": to_corners(citation.boxes, citation.page), "lines": citation.lines})


def hit_place(hit: Hit, base: str, index: str) -> Place:
    return _place(hit.rank, hit.chunk, hit.chunk.text, hit.score, base, index)


def _place(n: int, at: Chunk | Citation, words: str, score: float | None, base: str, index: str) -> Place:
    return Place(
        n=n,
        source=at.source,
        title=title_of(at),
        page=at.page,
        heading=list(at.heading),
        quote=words,
        start=at.start,
        end=at.end,
        boxes=[],
        lines=None,
        score=None if score is None else round(score, 4),
        url=place_url(base, index, at),
    )


def _holds(chunk: Chunk, citation: Citation) -> bool:
    same = (chunk.source, chunk.page) == (citation.source, citation.page)
    return same and chunk.start <= citation.start and citation.end <= chunk.end


def nearest(answer: Answer, base: str, index: str) -> list[Place]:
    """For a refusal, what comes nearest."""
    return [citation_place(each, answer.hits, base, index) for each in answer.nearest] if answer.refused else []


def answer_shape(answer: Answer, suggestions: list[str], base: str, index: str) -> AnswerShape:
    return AnswerShape(
        question=answer.question,
        asked=answer.asked or answer.question,
        text=answer.text,
        short=answer.short,
        refused=answer.refused,
        confidence=None if answer.confidence is None else round(answer.confidence, 4),
        citations=[citation_place(each, answer.hits, base, index) for each in answer.citations],
        nearest=nearest(answer, base, index),
        suggestions=suggestions,
        model=answer.model,
        usage={"prompt": answer.usage.prompt, "completion": answer.usage.completion},
        timings={stage: round(seconds, 4) for stage, seconds in answer.timings.items()},
    )
