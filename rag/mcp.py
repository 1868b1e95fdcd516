"""The documents as tools of the Model Context Protocol: `rag mcp` over stdio, `/mcp` on the server.

Source: the protocol's specification, and its Python SDK; `search` and `fetch` take and give what ChatGPT's
connectors ask for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import quote, unquote

from pydantic import BaseModel, Field

from rag import __version__
from rag.api import RAG
from rag.errors import QuestionError, RagError, StoreError
from rag.stores import CanDump
from rag.types import Answer, Chunk, Citation

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.routing import BaseRoute

__all__ = ["create_mcp", "run_stdio", "streamable"]

MOST_TEXT = 100_000
"""Characters of a document that one `fetch` gives."""
MOST_MATCHES = 100
Question = Annotated[str, Field(min_length=1, max_length=4000)]
Count = Annotated[int, Field(ge=1, le=50)]
Words = Annotated[str, Field(min_length=2, max_length=200)]
Result = TypeVar("Result")

ABOUT = (
    "The user's own documents. `ask` gives an answer that they support, or a refusal; `search` gives "
    "passages, `fetch` a document's text, `grep` exact words, `list_documents` names them. Cite source and page."
)


class PassageResult(BaseModel):
    """A passage: what `search` finds, and what supports an answer."""

    id: str = Field(description="What `fetch` takes.")
    title: str
    text: str
    url: str
    source: str
    page: int | None
    heading: list[str]
    start: int
    end: int
    score: float | None = None


class SearchResult(BaseModel):
    results: list[PassageResult]


class FetchResult(BaseModel):
    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


class AskResult(BaseModel):
    answer: str
    refused: bool
    confidence: float | None
    citations: list[PassageResult]
    nearest: list[PassageResult] = Field(description="For a refusal: the passages that come nearest.")


class DocumentResult(BaseModel):
    id: str
    source: str
    type: str
    size: int
    chunks: int


class DocumentsResult(BaseModel):
    documents: list[DocumentResult]
    total: int


class MatchResult(BaseModel):
    source: str
    page: int | None
    heading: list[str]
    line: str


class GrepResult(BaseModel):
    matches: list[MatchResult]
    more: bool = Field(description="Whether there are more than are given.")


def create_mcp(open_index: Callable[[], RAG], answer: Callable[[str], Awaitable[Answer]]) -> MCPServer[None]:
    """The MCP server over the index that `open_index` gives: five tools that read, and documents as resources.

    `answer` answers a question; it decides how many are answered at once.
    """
    from mcp.server.mcpserver import MCPServer
    from mcp_types import ToolAnnotations

    server: MCPServer[None] = MCPServer(
        "ragstone", title="ragstone", version=__version__, instructions=ABOUT, log_level="ERROR"
    )
    reads = ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )

    async def work(job: Callable[[RAG], Result]) -> Result:
        """`job` in a thread; what we raise on purpose is what the client reads."""
        with _told():
            return await asyncio.to_thread(lambda: job(open_index()))

    @server.tool(annotations=reads)
    async def search(query: Question, limit: Count = 8) -> SearchResult:
        """Find the passages of the user's documents that fit a question or words best, in any language."""
        hits = await work(lambda rag: rag.search(query, limit))
        return SearchResult(results=[_passage(hit.chunk, hit.chunk.text, hit.score) for hit in hits])

    @server.tool(annotations=reads)
    async def fetch(id: str) -> FetchResult:
        """The text of a document, by the id that `search` or `list_documents` gave."""
        return await work(lambda rag: _fetch(rag, id))

    @server.tool(annotations=reads)
    async def ask(question: Question) -> AskResult:
        """Answer a question from the user's documents, each statement cited; refuses where they do not."""
        with _told():
            found = await answer(question)
        return AskResult(
            answer=found.text,
            refused=found.refused,
            confidence=found.confidence,
            citations=[_passage(each, each.quote, None) for each in found.citations],
            nearest=[_passage(each, each.quote, None) for each in found.nearest] if found.refused else [],
        )

    @server.tool(annotations=reads)
    async def list_documents(pattern: str = "") -> DocumentsResult:
        """The user's documents, those whose name holds `pattern`."""
        return await work(lambda rag: _documents(rag, pattern))

    @server.tool(annotations=reads)
    async def grep(text: Words, source: str = "") -> GrepResult:
        """The lines of the documents that hold exactly these words (case aside); `source` names one document."""
        return await work(lambda rag: _grep(rag, text, source))

    @server.resource("ragstone://documents/{name}", mime_type="text/plain", description="A document's text.")
    async def document(name: str) -> str:
        return (await work(lambda rag: _fetch(rag, unquote(name)))).text

    return server


@contextmanager
def _told() -> Iterator[None]:
    """Our errors as the tool's: other exceptions tell the client nothing."""
    from mcp.server.mcpserver.exceptions import ToolError

    try:
        yield
    except RagError as error:
        raise ToolError(str(error)) from error


def streamable(server: MCPServer[None], path: str) -> list[BaseRoute]:
    """Routes that speak the protocol over HTTP, each request for itself; Host and Origin are the server's."""
    from mcp.server.transport_security import TransportSecuritySettings

    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=path, stateless_http=True, json_response=True, transport_security=security
    )
    return app.routes


def run_stdio(rag: RAG) -> None:
    """Speak the protocol on stdin and stdout until stdin ends; nothing else may be written there."""
    turn = asyncio.Lock()  # answers are written one at a time

    async def answer(question: str) -> Answer:
        async with turn:
            return await asyncio.to_thread(rag.ask, question)

    create_mcp(lambda: rag, answer).run("stdio")


def uri(source: str) -> str:
    """A document's address as a resource."""
    return f"ragstone://documents/{quote(source, safe='')}"


def _passage(at: Chunk | Citation, words: str, score: float | None) -> PassageResult:
    return PassageResult(
        id=at.source,
        title=next(iter(at.heading), at.source),
        text=words,
        url=uri(at.source),
        source=at.source,
        page=at.page,
        heading=list(at.heading),
        start=at.start,
        end=at.end,
        score=score,
    )


def _fetch(rag: RAG, source: str) -> FetchResult:
    chunks = _chunks(rag, source)
    text = "\n\n".join(chunk.text for chunk in chunks)
    metadata = {"chunks": str(len(chunks)), "cut": str(len(text) > MOST_TEXT).lower()}
    title = next(iter(chunks[0].heading), source) if chunks else source
    return FetchResult(id=source, title=title, text=text[:MOST_TEXT], url=uri(source), metadata=metadata)


def _chunks(rag: RAG, source: str) -> list[Chunk]:
    """A document's chunks. Raises StoreError where there is none, or its engine cannot read it out."""
    if source not in rag.store.documents():
        raise StoreError(f"there is no document {source[:200]!r}: `list_documents` names them")
    if not isinstance(rag.store, CanDump):
        raise StoreError("this kind of index cannot be read out: use `search`")
    return rag.store.rows(source)[1]


def _documents(rag: RAG, pattern: str) -> DocumentsResult:
    found = [each for each in rag.sources() if pattern.lower() in each.source.lower()]
    shown = [
        DocumentResult(id=each.source, source=each.source, type=each.type, size=each.size, chunks=each.chunks)
        for each in found[:1000]
    ]
    return DocumentsResult(documents=shown, total=len(found))


def _grep(rag: RAG, text: str, source: str) -> GrepResult:
    """Lines with these words; chunks overlap, so that a line is given once."""
    if not text.strip():
        raise QuestionError("there is nothing to look for: give some words")
    wanted = re.compile(re.escape(text.strip()), re.IGNORECASE)
    names = [source] if source else [each.source for each in rag.sources()]
    found: dict[tuple[str, int | None, str], MatchResult] = {}
    for name in names:
        for chunk in _chunks(rag, name):
            for line in chunk.text.split("\n"):
                if wanted.search(line):
                    match = MatchResult(
                        source=name, page=chunk.page, heading=list(chunk.heading), line=line[:2000]
                    )
                    found.setdefault((name, chunk.page, line), match)
            if len(found) > MOST_MATCHES:
                return GrepResult(matches=list(found.values())[:MOST_MATCHES], more=True)
    return GrepResult(matches=list(found.values()), more=False)
