"""What are these documents about? Answered from the list of sources, not from the nearest passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from rag.embedders import Embedder
from rag.stores import Store
from rag.text import split_sentences
from rag.text.sanitise import strip_invisible
from rag.types import Chunk, Document, Hit, Where

__all__ = ["MOST", "Entry", "heading", "line", "overview"]

MOST = 20
"""Sources that are described; the others are counted."""
TOPICS, LINE = 8, 160
_CHUNKS = 500  # of one source, among which its first is looked for


@dataclass(frozen=True, slots=True)
class Entry:
    """A source in the overview: ``[start, end)`` of its first chunk's page says what it is about.

    `topics` are its headings below the title, in reading order.
    """

    document: Document
    hit: Hit
    title: str
    topics: tuple[str, ...]
    start: int
    end: int


def overview(
    store: Store, embedder: Embedder, question: str, where: Where | None = None
) -> tuple[int, list[Entry]]:
    """How many sources `where` lets through, and the first MOST of them by name, each with its first passage."""
    vector = embedder.embed_queries([question])[0]
    where = where or Where()
    sources = {
        name: document
        for name, document in sorted(store.documents().items())
        if fnmatchcase(name, where.source or "*") and document.type == (where.type or document.type)
    }
    entries: list[Entry] = []
    for name, document in sources.items():
        only = Where(_literal(name), pages=where.pages)
        found = store.dense(vector, min(max(document.chunks, 1), _CHUNKS), only) if len(entries) < MOST else []
        chunks = store.chunks([scored.id for scored in found])
        if chunks:
            order = sorted(range(len(chunks)), key=lambda i: chunks[i].position)
            score = found[order[0]].score
            hit = Hit(len(entries) + 1, min(max(score, 0.0), 1.0), chunks[order[0]], score)
            entries.append(_entry(document, hit, [chunks[i] for i in order]))
    return len(sources), entries


def line(entry: Entry) -> str:
    """An entry in one line: title, source, and what it covers."""
    chunk = entry.hit.chunk
    told = ", ".join(entry.topics) or _words(chunk.text[entry.start - chunk.start : entry.end - chunk.start])
    about = told if len(told) <= LINE else f"{told[:LINE].rstrip()}…"
    return f"- {entry.title} ({entry.document.source}): {about}"


def heading(documents: int, shown: int, tongue: str) -> str:
    """What stands above the lines."""
    if tongue == "zh":
        return f"共 {documents} 份文档" + (f"，以下是其中 {shown} 份：" if shown < documents else "：")
    return f"There {'is 1 document' if documents == 1 else f'are {documents} documents'}" + (
        f", {shown} of them are:" if shown < documents else ":"
    )


def _entry(document: Document, hit: Hit, chunks: Sequence[Chunk]) -> Entry:
    chunk = hit.chunk
    spans = split_sentences(chunk.text) or [(0, len(chunk.text))]
    told = next(((a, b) for a, b in spans if len(_words(chunk.text[a:b])) > 24), spans[0])
    topics = dict.fromkeys(strip_invisible(c.heading[1]) for c in chunks if len(c.heading) > 1)
    return Entry(
        document,
        hit,
        _title(document, chunk),
        tuple(topics)[:TOPICS],
        chunk.start + told[0],
        chunk.start + told[1],
    )


def _title(document: Document, chunk: Chunk) -> str:
    """The outermost heading; without one the first line, for a PDF (page headers) and a table the file's name."""
    first = _words(chunk.text.strip().splitlines()[0])
    if document.type in ("csv", "pdf") or not (chunk.heading or first):
        first = PurePosixPath(document.source).stem
    title = strip_invisible(chunk.heading[0] if chunk.heading and document.type != "csv" else first).strip()
    return title if len(title) <= 80 else f"{title[:80]}…"


def _words(text: str) -> str:
    return " ".join(text.lstrip("# \t>*-").split())


def _literal(source: str) -> str:
    """A glob that matches `source` alone."""
    return re.sub(r"([*?[])", r"[\1]", source)
