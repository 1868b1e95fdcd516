"""A LangChain vector store as an index: LangChain's own in memory, dense search alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contracts.store import DIM, GUIDE, MANIFEST, ZH, document, fill, passages, texts_of, unit
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import EmbedderMismatch, IndexLocked, IndexMissing, StoreError
from rag.stores import Store
from rag.stores.langchain import GivenVectors, LangChainStore
from rag.text import TERMS
from rag.types import Document, Manifest, Where

PDF = ["First page.", "Second page of values.", "Third page."]


@pytest.fixture
def pair() -> tuple[InMemoryVectorStore, InMemoryVectorStore]:
    return InMemoryVectorStore(GivenVectors()), InMemoryVectorStore(GivenVectors())


@pytest.fixture
def filled(pair: tuple[InMemoryVectorStore, InMemoryVectorStore]) -> LangChainStore:
    store = LangChainStore(*pair)
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    return store


def test_nothing_there(pair: tuple[InMemoryVectorStore, InMemoryVectorStore]) -> None:
    store = LangChainStore(*pair)
    assert isinstance(store, Store)
    assert store.url == "langchain:InMemoryVectorStore"
    assert store.manifest() is None
    assert dict(store.documents()) == {}
    for search in (lambda: store.dense(unit([1, 0, 0, 0])[0], 3), lambda: store.lexical(["a"], 3)):
        with pytest.raises(IndexMissing):
            search()


def test_what_was_written_is_there(
    filled: LangChainStore, pair: tuple[InMemoryVectorStore, InMemoryVectorStore]
) -> None:
    for store in (filled, LangChainStore(*pair)):
        assert store.manifest() == MANIFEST
        assert store.documents()["manual.pdf"] == Document(
            "manual.pdf", "/docs/manual.pdf", "0" * 64, 10, 1_700_000_000_000_000_001, "pdf", 3
        )
        found = store.dense(unit([1, 0, 0, 0])[0], 4)
        assert texts_of(store, found) == [GUIDE[0], GUIDE[1], PDF[1], ZH[0]]
        assert [each.score for each in found] == pytest.approx([1, 0.5**0.5, 0.5**0.5, 3**-0.5], abs=1e-3)
        every = passages("guide/props.md", GUIDE) + passages("zh/组件.md", ZH)
        every += passages("manual.pdf", PDF, [1, 2, 3])
        chunks = store.chunks([each.id for each in store.dense(unit([1, 2, 3, 4])[0], 100)])
        assert sorted(chunks, key=lambda c: (c.source, c.position)) == sorted(
            every, key=lambda c: (c.source, c.position)
        )
        assert store.lexical(["props"], 5) == []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where(source="guide/*"), set(GUIDE)),
        (Where(source="*.md"), {*GUIDE, *ZH}),
        (Where(type="pdf"), set(PDF)),
        (Where(pages=(2, 3)), set(PDF[1:])),
        (Where(exclude=frozenset({"manual.pdf"})), {*GUIDE, *ZH}),
        (Where(source="*.md", pages=(1, 9)), set()),
        (Where(), {*GUIDE, *ZH, *PDF}),
    ],
)
def test_where(filled: LangChainStore, where: Where, expected: set[str]) -> None:
    assert set(texts_of(filled, filled.dense(unit([1, 1, 1, 1])[0], 8, where))) == expected
    one = filled.dense(unit([1, 1, 1, 1])[0], 1, where)
    assert set(texts_of(filled, one)) <= expected
    assert len(one) == min(1, len(expected))


def test_replaced_removed_and_not_committed(
    filled: LangChainStore, pair: tuple[InMemoryVectorStore, InMemoryVectorStore]
) -> None:
    with filled.write(MANIFEST) as writer:
        writer.put(document("guide/props.md"), passages("guide/props.md", ["Emits go up."]), unit([-1, 0, 0, 0]))
        assert writer.remove(["zh/组件.md", "nowhere.md"]) == 1
        assert texts_of(filled, filled.dense(unit([-1, 0, 0, 0])[0], 8))[-1] == GUIDE[0]
        writer.commit()
        writer.put(document("lost.md"), passages("lost.md", ["Lost."] * 300), unit(*[[-1, 0, 0, 0]] * 300))
        writer.remove(["manual.pdf"])
    found = texts_of(filled, filled.dense(unit([-1, 0, 0, 0])[0], 8))
    assert found[0] == "Emits go up."
    assert set(found) == {"Emits go up.", *PDF}
    assert len(pair[0].store) == 4


def test_one_writer_and_one_manifest(filled: LangChainStore) -> None:
    with (
        filled.write(MANIFEST),
        pytest.raises(IndexLocked, match="written to"),
        filled.write(MANIFEST),
    ):
        pass
    other = Manifest("st:m3e-small", "weights-1", DIM, terms=TERMS)
    with pytest.raises(EmbedderMismatch, match=r"hashed.*st:m3e-small"), filled.write(other):
        pass
    with pytest.raises(StoreError, match=r"4.*hashed"):
        filled.dense(np.ones(3, np.float32), 1)


def test_one_store_of_the_callers_with_a_model_of_its_own(notes: Path, hashed: HashedEmbedder) -> None:
    own = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    with RAG.open(own, embedder=hashed, llm="none") as rag:
        report = rag.ingest(notes)
        assert (report.added, report.failed) == (4, [])
        (hit,) = rag.search("warranty of the Tern machine", k=1)
        assert "lasts 24 months" in hit.chunk.text
        assert hit.lexical is None
        assert rag.search("Kitchen coffee", k=1, where=Where(type="csv"))[0].chunk.source == "notes/people.csv"
        assert rag.ingest(notes).unchanged == 4
    assert isinstance(own.embeddings, DeterministicFakeEmbedding)
    with RAG.open(own, llm="none", embedder=hashed) as again:
        assert len(again.store.documents()) == 4


def test_a_store_that_holds_something_else() -> None:
    own = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    own.add_texts(["a text of the caller's"])
    with (
        pytest.raises(StoreError, match="InMemoryVectorStore holds documents"),
        LangChainStore(own).write(MANIFEST),
    ):
        pass
    assert len(own.store) == 1


def test_a_store_without_a_model() -> None:
    class Without(InMemoryVectorStore):
        embeddings = None

    with pytest.raises(StoreError, match=r"Without.*GivenVectors"):
        LangChainStore(Without(DeterministicFakeEmbedding(size=4)))


class Failing(InMemoryVectorStore):
    def get_by_ids(self, ids: object, /) -> list[object]:  # type: ignore[override]
        raise ConnectionError("no route\nto host")


def test_what_the_store_raises_is_one_line() -> None:
    store = LangChainStore(Failing(GivenVectors()), Failing(GivenVectors()))
    with pytest.raises(StoreError, match=r"^the LangChain store Failing failed \(no route to host\): run"):
        store.manifest()
