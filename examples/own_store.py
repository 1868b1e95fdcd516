"""A store of your own: an index in memory, gone when the program ends. Anything with these methods is a store.

python examples/own_store.py data/docs "How often is the Tern descaled?"
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock

from rag import RAG, Chunk, Where
from rag.errors import IndexLocked, IndexMissing, StoreError
from rag.stores.common import bm25
from rag.stores.common.checks import check_query, check_text, check_vectors
from rag.stores.common.manifest import check_same
from rag.text import chunk_terms
from rag.types import Document, Manifest, Scored, Vector, Vectors


@dataclass(frozen=True)
class Row:
    chunk: Chunk
    type: str
    vector: Vector

    def passes(self, where: Where) -> bool:
        page, pages = self.chunk.page, where.pages
        return where.lets_through(self.chunk.source, self.type) and (
            pages is None or (page is not None and pages[0] <= page <= pages[1])
        )


@dataclass(frozen=True)
class State:
    """What was committed: readers see the whole of one state, and never something between two."""

    manifest: Manifest | None = None
    documents: dict[str, Document] = field(default_factory=dict)
    rows: dict[int, Row] = field(default_factory=dict)
    next: int = 1


class MemoryStore:
    url = "memory:"

    def __init__(self) -> None:
        self.state = State()
        self._writing = Lock()

    def manifest(self) -> Manifest | None:
        return self.state.manifest

    def documents(self) -> dict[str, Document]:
        return self.state.documents

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        state = self._committed()
        check_query(query, state.manifest, self.url)
        return _best({i: float(row.vector @ query) for i, row in state.rows.items()}, state, n, where)

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        state = self._committed()
        words, frequencies = _words(state)
        weights = bm25.weights(bm25.distinct(terms), frequencies, len(words))
        a, b = bm25.saturation(sum(each.total() for each in words.values()) / max(len(words), 1))
        scores = {
            i: sum(w * counts[term] / (counts[term] + a + b * counts.total()) for term, w in weights.items())
            for i, counts in words.items()
        }
        return _best({i: score for i, score in scores.items() if score > 0}, state, n, where)

    def rarities(self, terms: Sequence[str]) -> list[float]:
        words, frequencies = _words(self._committed())
        return bm25.rarities(terms, frequencies, len(words))

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        rows = self._committed().rows
        if gone := [i for i in ids if i not in rows]:
            raise StoreError(f"the index {self.url} has no chunk {gone[0]}: search again")
        return [rows[i].chunk for i in ids]

    @contextmanager
    def write(self, manifest: Manifest) -> Iterator["MemoryWriter"]:
        if self.state.manifest is not None:
            check_same(self.state.manifest, manifest, self.url)
        if not self._writing.acquire(blocking=False):
            raise IndexLocked(f"the index {self.url} is being written to: wait for it to end")
        try:
            yield MemoryWriter(self, manifest)
        finally:
            self._writing.release()

    def close(self) -> None:
        """Nothing to release."""

    def _committed(self) -> State:
        if self.state.manifest is None:
            raise IndexMissing(self.url)
        return self.state


class MemoryWriter:
    def __init__(self, store: MemoryStore, manifest: Manifest) -> None:
        self._store = store
        before = store.state
        self._new = replace(
            before, manifest=manifest, documents=dict(before.documents), rows=dict(before.rows)
        )  # fmt: skip

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_text(document, chunks)
        check_vectors(document.source, len(chunks), vectors, self._new.manifest, self._store.url)
        self.remove([document.source])
        self._new.documents[document.source] = replace(document, chunks=len(chunks))
        rows = map(Row, chunks, [document.type] * len(chunks), vectors)
        self._new.rows.update(enumerate(rows, self._new.next))
        self._new = replace(self._new, next=self._new.next + len(chunks))

    def remove(self, sources: Iterable[str]) -> int:
        gone = {source for source in sources if self._new.documents.pop(source, None)}
        for i in [i for i, row in self._new.rows.items() if row.chunk.source in gone]:
            del self._new.rows[i]
        return len(gone)

    def commit(self) -> None:
        self._store.state = replace(self._new, documents=dict(self._new.documents), rows=dict(self._new.rows))


def _words(state: State) -> tuple[dict[int, Counter[str]], Counter[str]]:
    """The terms of each chunk with their counts, and how many chunks hold each term."""
    words = {i: Counter(map(bm25.key, chunk_terms(row.chunk))) for i, row in state.rows.items()}
    return words, Counter(term for counts in words.values() for term in counts)


def _best(scores: dict[int, float], state: State, n: int, where: Where | None) -> list[Scored]:
    allowed = [i for i in scores if where is None or state.rows[i].passes(where)]
    return [Scored(i, scores[i]) for i in sorted(allowed, key=lambda i: -scores[i])[:n]]


if __name__ == "__main__":
    folder, question = sys.argv[1:]
    with RAG.open(MemoryStore(), llm="none") as rag:
        rag.ingest(folder)
        print(rag.ask(question).text)
