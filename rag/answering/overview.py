"""What are these documents about? Answered from the list of sources, not from the nearest passages."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

from rag.embedders import Embedder
from rag.retrieval.scope import literal
from rag.stores import Store
from rag.text import content_terms, embedding_text, split_sentences
from rag.text.sanitise import strip_invisible
from rag.types import Chunk, Document, Hit, Where

__all__ = ["MOST", "Entry", "heading", "line", "overview", "sources_about", "subject_terms"]

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


_FRAME = re.compile(
    r"\b(?:which|what|find|show|list|give|me|all|any|the|an?|documents?|docs|files?|sources?|texts?|papers?|there"
    r"|materials?|are|is|were|do|does|mention\w*|talk\w*|deal\w*|cover\w*|contain\w*|discuss\w*|describe\w*|have|you"
    r"|about|on|with|that|of|in|for|these|those|this|my|your|our|here|can|i|ask|know|please|summari[sz]e|overview|name"
    r"|topics?|folders?|collection|index|library|knowledge base|overall|general)\b"
    r"|有哪些|哪些|哪个|哪几[个份]|哪份|有没有|文档|文件夹?|资料|材料|文章|知识库|索引|关于|提到|涉及|这些|那些|这里|所有|全部"
    r"|什么|内容|方面|主题|主要|大概|大致|分别|总共|一共|总结|概括|概述|列出|介绍|归纳|可以|知道|请问|帮我|[是的讲说写了里中找有都些我你能问一下份]",
    re.IGNORECASE,
)


def subject_terms(question: str) -> set[str]:
    """What the documents are to be about that `question` asks for; empty where it asks about all."""
    return content_terms(_FRAME.sub(" ", question))


def sources_about(terms: Set[str], hits: Sequence[Hit]) -> list[str]:
    """The sources of `hits` whose name, headings or text have half of `terms` at least, best first."""
    held = {
        hit.chunk.source: len(terms & content_terms(f"{hit.chunk.source} {embedding_text(hit.chunk)}"))
        for hit in reversed(hits)
    }
    best = dict.fromkeys(hit.chunk.source for hit in hits)
    return [source for source in best if held[source] >= max(1, len(terms) / 2)]


def overview(
    store: Store,
    embedder: Embedder,
    question: str,
    where: Where | None = None,
    only: Sequence[str] | None = None,
) -> tuple[int, list[Entry]]:
    """How many sources `where` lets through, and the first MOST of them by name, each with its first passage.

    `only`: of these alone, in their order.
    """
    vector = embedder.embed_queries([question])[0]
    where = where or Where()
    sources = {
        name: document
        for name, document in sorted(store.documents().items())
        if where.lets_through(name, document.type)
    }
    if only is not None:
        sources = {name: sources[name] for name in only if name in sources}
    entries: list[Entry] = []
    for name, document in sources.items():
        own = Where(literal(name), pages=where.pages)
        found = store.dense(vector, min(max(document.chunks, 1), _CHUNKS), own) if len(entries) < MOST else []
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
