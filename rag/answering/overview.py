"""What are these documents about? Answered from the list of sources, not from the nearest passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from rag.embedders import Embedder
from rag.stores import Store
from rag.text import sentences
from rag.text.sanitise import visible
from rag.types import Chunk, Document, Hit, Where

__all__ = ["MOST", "Entry", "asks_for_sources", "heading", "line", "overview"]

MOST = 20
"""Sources that are described; the others are counted."""
TOPICS, LINE = 8, 160
_CHUNKS = 500  # of one source, among which its first is looked for

_FILES = (
    r"(?:documents?|docs|files?|sources?|texts?|papers?|materials?|folder|collection|index|library|knowledge base)"
)
_ASKS = re.compile(
    rf"\bwhat(?:'s| is| are| do| does)? (?:(?:all|in|inside|is in) )?(?:of )?(?:these|the|my|your"
    rf"|those|this|our|all) (?:\w+ )?{_FILES}"
    r"(?: here)?(?: (?:all )?(?:about|cover|contain|say|talk about|deal with|describe|treat"
    r"|hold))?(?: overall| in general| here)?\s*\??$"
    rf"|\b(?:which|what) {_FILES} (?:are there|are here|do you (?:have|know|see)|have you(?: got"
    rf"| read)?|can you (?:see|read)|are (?:in|indexed|available|loaded))\b"
    rf"|^(?:please )?(?:list|summari[sz]e|describe|show me|give me an overview of|an? overview of"
    rf"|name)(?: me)? (?:all )?(?:of )?(?:the|these|my|your|all|those|this|our) {_FILES}\s*[?.!]?$"
    r"|^what (?:can i ask(?: you)?(?: about)?|do you know(?: about)?|topics (?:do (?:these"
    r"|the) \w+ cover|are (?:there|covered)))\s*\??$",
    re.IGNORECASE,
)
_FILES_ZH = r"(?:文档|文件|资料|材料|文章|文本|知识库|文件夹|文集|索引|语料)"
_ASKS_ZH = re.compile(
    rf"^(?:请问)?(?:我的|你的|这里的|这里|这些|那些|该|这个|这批|这份|所有|全部|上传的|导入的|目前的?"
    rf"|现在的?)?的?{_FILES_ZH}(?:里面|里|中|内|库)?"
    r"(?:都|主要|大概|大致|分别|总共|一共)*(?:是)?(?:有|讲|说|写|谈|介绍|包含|涉及|关于|涵盖"
    r"|收录)?(?:了|的是|的|着)?(?:些)?(?:什么|哪些|啥)(?:方面|内容|主题|东西|话题|文档|文件|资料"
    r"|事)?(?:的)?(?:内容)?(?:呢|啊|呀)?[？?。]?$"
    rf"|^(?:请问)?(?:你|你们|这里|目前|现在|库里|库中|索引里|文件夹里)?(?:都|里|中)?(?:有|看过|读过"
    rf"|收录了|导入了|包含|知道)(?:了)?(?:哪些|什么|几份|多少份?){_FILES_ZH}(?:呢)?[？?。]?$"
    rf"|^(?:请|帮我)?(?:概括|总结|概述|列出|介绍|归纳|罗列)(?:一下|下)?(?:这些|所有|全部|我的|这里的"
    rf"|这批)?(?:的)?{_FILES_ZH}(?:的)?(?:内容|主题)?[。？?]?$"
    r"|^(?:我)?(?:可以|能)(?:问|向)你(?:问)?(?:些)?(?:什么|哪些)(?:问题)?[？?]?$",
)


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


def asks_for_sources(question: str) -> bool:
    """Whether `question` is about the documents as such ("What are these documents about?")."""
    text = " ".join(question.split())
    return bool(_ASKS.search(text) or _ASKS_ZH.search(text))


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
    spans = sentences(chunk.text) or [(0, len(chunk.text))]
    told = next(((a, b) for a, b in spans if len(_words(chunk.text[a:b])) > 24), spans[0])
    topics = dict.fromkeys(visible(c.heading[1]) for c in chunks if len(c.heading) > 1)
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
    title = visible(chunk.heading[0] if chunk.heading and document.type != "csv" else first).strip()
    return title if len(title) <= 80 else f"{title[:80]}…"


def _words(text: str) -> str:
    return " ".join(text.lstrip("# \t>*-").split())


def _literal(source: str) -> str:
    """A glob that matches `source` alone."""
    return re.sub(r"([*?[])", r"[\1]", source)
