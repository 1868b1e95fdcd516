"""LangChain beside ragstone, with LangChain itself: retriever, agent's tool, documents of its loaders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda

from rag.api import RAG
from rag.langchain import RagRetriever, ingest_documents, rag_tool
from rag.types import Answer, Where

HERON = "The Heron boiler holds nine litres of water and heats them in four minutes."
TERN = "The Tern grinder has forty settings. Clean its burrs every month."
LEAVE = "年假需要提前两周申请，由部门经理批准。"


@pytest.fixture
def rag(tmp_path: Path) -> Iterator[RAG]:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, text in {"heron.txt": HERON, "tern.md": TERN, "请假.txt": LEAVE}.items():
        (folder / name).write_text(text, encoding="utf-8")
    with RAG.open(f"faiss:{tmp_path / 'index'}", embedder="hashed", llm="none") as rag:
        rag.ingest(folder)
        yield rag


class TestRetriever:
    def test_documents_with_their_places(self, rag: RAG) -> None:
        found = RagRetriever(rag=rag, k=2).invoke("How many litres of water does the Heron boiler hold?")
        assert [d.metadata["source"] for d in found] == ["docs/heron.txt", "docs/tern.md"]
        assert found[0].page_content == HERON
        assert found[0].id == "docs/heron.txt#0"
        wanted = {
            "source": "docs/heron.txt",
            "page": None,
            "heading": "heron",
            "start": 0,
            "end": len(HERON),
            "rank": 1,
        }
        assert {key: found[0].metadata[key] for key in wanted} == wanted
        assert 1 >= found[0].metadata["score"] > found[1].metadata["score"] >= 0

    def test_filtered(self, rag: RAG) -> None:
        found = RagRetriever(rag=rag, where=Where(type="markdown")).invoke("litres of water")
        assert [d.metadata["source"] for d in found] == ["docs/tern.md"]

    def test_in_a_chain(self, rag: RAG) -> None:
        texts = RunnableLambda(lambda found: found[0].page_content)
        chain = RagRetriever(rag=rag, k=1) | texts | StrOutputParser()
        assert chain.invoke("年假提前多久申请？") == LEAVE
        assert chain.batch(["Tern grinder settings", "Heron boiler litres"]) == [TERN, HERON]

    def test_async(self, rag: RAG) -> None:
        import asyncio

        [found] = asyncio.run(RagRetriever(rag=rag, k=1).ainvoke("Tern grinder"))
        assert found.page_content == TERN


class _Scripted(GenericFakeChatModel):
    """Says what it was given to say, and takes tools."""

    def bind_tools(self, tools: Any, **_: Any) -> _Scripted:
        return self


def _agent(tool: Any, query: str) -> Any:
    call = {"name": tool.name, "args": {"query": query}, "id": "1", "type": "tool_call"}
    script = [AIMessage(content="", tool_calls=[call]), AIMessage(content="Nine litres.")]
    return create_agent(_Scripted(messages=iter(script)), [tool])


class TestTool:
    def test_an_agent_reads_passages(self, rag: RAG) -> None:
        agent = _agent(rag_tool(rag, k=2), "How many litres does the Heron boiler hold?")
        messages = agent.invoke({"messages": [("user", "How big is the Heron?")]})["messages"]
        [told] = [m for m in messages if isinstance(m, ToolMessage)]
        assert told.content == f"[1] docs/heron.txt\n{HERON}\n\n[2] docs/tern.md\n{TERN}"
        assert [hit.chunk.source for hit in told.artifact] == ["docs/heron.txt", "docs/tern.md"]
        assert messages[-1].content == "Nine litres."

    def test_an_agent_asks_for_the_answer(self, rag: RAG) -> None:
        agent = _agent(rag_tool(rag, answers=True), "How many litres of water does the Heron boiler hold?")
        messages = agent.invoke({"messages": [("user", "How big is the Heron?")]})["messages"]
        [told] = [m for m in messages if isinstance(m, ToolMessage)]
        assert isinstance(told.artifact, Answer)
        assert told.artifact.citations[0].source == "docs/heron.txt"
        assert f"[1] docs/heron.txt: “{HERON}”" in told.content

    def test_what_goes_wrong_is_told_to_the_model(self, rag: RAG, tmp_path: Path) -> None:
        with RAG.open(f"faiss:{tmp_path / 'none'}", embedder="hashed", llm="none") as empty:
            agent = _agent(rag_tool(empty), "anything")
            messages = agent.invoke({"messages": [("user", "?")]})["messages"]
        [told] = [m for m in messages if isinstance(m, ToolMessage)]
        assert told.status == "error"
        assert "there is no index at" in told.content

    def test_its_schema(self, rag: RAG) -> None:
        assert (rag_tool(rag).name, rag_tool(rag, answers=True).name) == ("search_documents", "ask_documents")
        assert "answer" in rag_tool(rag, answers=True).description
        tool = rag_tool(rag, name="handbook")
        assert tool.name == "handbook"
        assert list(tool.args) == ["query"]


class _Loader(BaseLoader):
    """As LangChain's PDF loaders give a file: a document a page, counted from 0."""

    def lazy_load(self) -> Iterator[Document]:
        for page, text in enumerate([HERON, "", TERN]):
            yield Document(page_content=text, metadata={"source": "manual.pdf", "page": page})
        yield Document(page_content=LEAVE, metadata={"source": "https://example.com/leave", "title": "请假"})
        yield Document(page_content="  ", metadata={"source": "blank.txt"})
        yield Document(page_content="Half \ud83d of a sign\x00.")


class TestLoaders:
    def test_any_loader_feeds_the_index(self, tmp_path: Path) -> None:
        with RAG.open(f"faiss:{tmp_path / 'index'}", embedder="hashed", llm="none") as rag:
            report = ingest_documents(rag, _Loader())
            assert (report.added, report.updated, report.chunks) == (3, 0, 4)
            assert report.skipped == [{"source": "blank.txt", "reason": "empty"}]
            [hit] = rag.search("Tern grinder settings", 1)
            assert (hit.chunk.source, hit.chunk.page, hit.chunk.text) == ("manual.pdf", 3, TERN)
            [hit] = rag.search("年假提前多久申请？", 1)
            assert (hit.chunk.source, hit.chunk.heading) == ("https://example.com/leave", ("请假",))
            [hit] = rag.search("sign", 1)
            assert hit.chunk.source.startswith("document-")
            assert rag.store.documents()["manual.pdf"].type == "pdf"
            again = ingest_documents(rag, _Loader())
            assert (again.added, again.unchanged, again.chunks) == (0, 3, 0)
            changed = ingest_documents(
                rag, [Document(page_content="The Tern is gone.", metadata={"source": "manual.pdf"})]
            )
            assert (changed.updated, changed.chunks) == (1, 1)
            assert rag.search("Tern grinder settings", 1)[0].chunk.text == "The Tern is gone."

    def test_a_folders_ingest_leaves_them_alone(self, rag: RAG, tmp_path: Path) -> None:
        path = str(tmp_path / "docs" / "elsewhere.txt")
        ingest_documents(rag, [Document(page_content="From a wiki.", metadata={"source": path})])
        report = rag.ingest(tmp_path / "docs")
        assert (report.removed, report.unchanged) == (0, 3)
        assert path in rag.store.documents()
        gone = ingest_documents(rag, [Document(page_content="", metadata={"source": path})])
        assert gone.removed == 1
        assert path not in rag.store.documents()

    def test_a_loader_of_langchain_community(self, rag: RAG, tmp_path: Path) -> None:
        with pytest.warns(DeprecationWarning, match="sunset"):
            from langchain_community.document_loaders import CSVLoader
        table = tmp_path / "prices.csv"
        table.write_text("product,price\nHeron,900\nTern,450\n", encoding="utf-8")
        report = ingest_documents(rag, CSVLoader(str(table)))
        assert (report.added, report.chunks) == (1, 2)
        [hit] = rag.search("price of the product Tern", 1)
        assert (hit.chunk.text, hit.chunk.heading) == ("product: Tern\nprice: 450", ("row 2",))
