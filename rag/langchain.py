"""ragstone inside LangChain: a retriever, a tool for agents, and ingest of any LangChain loader's documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, Field

from rag.api import RAG
from rag.errors import RagError
from rag.text.injection import sanitise_for_model
from rag.types import Answer, Chunk, Citation, Hit, Where

if TYPE_CHECKING:
    from ingest.report import IngestReport

T = TypeVar("T")

__all__ = ["RagRetriever", "ingest_documents", "rag_tool"]


class RagRetriever(BaseRetriever):
    """The `k` passages that answer a query best, as LangChain documents.

    Their metadata: source, page, heading, start, end (characters of the page), score in [0, 1], rank.
    """

    rag: RAG
    k: int = 5
    where: Where | None = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
    ) -> list[Document]:
        return [_document(hit) for hit in self.rag.search(query, self.k, self.where)]


class _Query(BaseModel):
    query: str = Field(description="What to look for, as a full question in the language of the documents.")


_SEARCHES = (
    "search_documents",
    "Searches the user's own documents. Says which file and page each passage comes from.",
)
_ANSWERS = (
    "ask_documents",
    "Answers a question from the user's own documents alone, with citations. Says so where they hold no answer.",
)


def rag_tool(
    rag: RAG,
    *,
    k: int = 5,
    answers: bool = False,
    name: str = "",
    description: str = "",
) -> BaseTool:
    """A tool for `langchain.agents.create_agent`.

    It gives the model the `k` best passages, numbered and with their places, and the hits as artifact. With
    `answers` it gives the answer that the documents support, with its citations, and the `Answer`. `name` and
    `description`, from which the model chooses, suit what it gives, where they are not given.
    An error (no index, an empty query) is a message to the model.
    """

    def search(query: str) -> tuple[str, list[Hit]]:
        hits = _asked(lambda: rag.search(query, k))
        passages = (
            f"[{hit.rank}] {_place(hit.chunk)}\n{sanitise_for_model(hit.chunk.text.strip())}" for hit in hits
        )
        return "\n\n".join(passages) or "No passage matches.", hits

    def answer(query: str) -> tuple[str, Answer]:
        given = _asked(lambda: rag.ask(query))
        cited = (f"[{c.n}] {_place(c)}: “{c.quote.strip()}”" for c in given.citations)
        return "\n".join((given.text, *cited)), given

    return StructuredTool.from_function(
        answer if answers else search,
        name=name or (_ANSWERS if answers else _SEARCHES)[0],
        description=description or (_ANSWERS if answers else _SEARCHES)[1],
        args_schema=_Query,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


def ingest_documents(rag: RAG, documents: BaseLoader | Iterable[Document]) -> IngestReport:
    """Ingest the documents of a LangChain loader, or a list of documents.

    Those of one `source` are one document of the index; run it again to bring them up to date.
    """
    from ingest.langchain import ingest_documents as ingest

    loaded = documents.lazy_load() if isinstance(documents, BaseLoader) else documents
    return ingest(rag.store, rag.embedder, loaded, rag.settings)


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except RagError as exc:
        raise ToolException(str(exc)) from exc


def _document(hit: Hit) -> Document:
    chunk = hit.chunk
    return Document(
        id=f"{chunk.source}#{chunk.position}",
        page_content=chunk.text,
        metadata={
            "source": chunk.source,
            "page": chunk.page,
            "heading": " > ".join(chunk.heading),
            "start": chunk.start,
            "end": chunk.end,
            "score": hit.score,
            "rank": hit.rank,
        },
    )


def _place(where: Chunk | Citation) -> str:
    page = f", p. {where.page}" if where.page is not None else ""
    row = next((f", {title}" for title in where.heading[:1] if title.startswith("row ")), "")
    return f"{where.source}{page}{row}"
