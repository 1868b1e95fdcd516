"""The embedded store: a folder with one SQLite file, searched by FAISS and BM25."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.errors import IndexMissing, StoreError
from rag.stores import Checked
from rag.stores._tuned import CODES_FROM
from rag.stores.common.checks import check_query
from rag.stores.faiss import binary_index
from rag.stores.faiss.binary_codes import width
from rag.stores.faiss.bm25_index import Lexicon
from rag.stores.faiss.check import check, repair
from rag.stores.faiss.exact_index import KIND, ExactIndex, unpack
from rag.stores.faiss.rows import (
    MOST_AT_ONCE,
    fetch_vectors,
    find_ids,
    read_chunks,
    read_codes,
    read_run,
    read_vectors,
    spread,
)
from rag.stores.faiss.schema import VERSION, Readers
from rag.stores.faiss.state import read_documents, read_state
from rag.stores.faiss.sums import require
from rag.stores.faiss.writer import SqliteWriter, writing
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

Ids = npt.NDArray[np.int64]

_FILTERS_KEPT = 16


@dataclass(frozen=True, slots=True)
class _View:
    """What a reader keeps of one generation of the index: chunk ids in order, and what is computed from them."""

    name: str
    generation: int
    manifest: Manifest
    ids: Ids
    lexicon: Lexicon
    latin: npt.NDArray[np.bool_]
    allowed: dict[Where, Ids] = field(default_factory=dict)


class FaissStore:
    """`rag.stores.Store` in a folder; safe to read from any number of threads and processes."""

    def __init__(self, path: str | Path) -> None:
        self._folder = Path(path).expanduser()
        self._readers = Readers(self._folder)
        self._lock = threading.Lock()
        self._view: _View | None = None
        self._vectors: tuple[str, ExactIndex | binary_index.CodedIndex] | None = None

    @property
    def url(self) -> str:
        return f"faiss:{self._folder}"

    def manifest(self) -> Manifest | None:
        """What the index was made with; None while nothing has been written."""
        try:
            with self._readers.transaction() as db:
                held = self._held(db)
                return held.manifest if held else read_state(db).manifest
        except IndexMissing:
            return None

    def documents(self) -> Mapping[str, Document]:
        """Every file in the index, by source."""
        try:
            with self._readers.transaction() as db:
                rows = read_documents(db, read_state(db))
        except IndexMissing:
            return {}
        return {row[1]: Document(*row[1:8]) for row in sorted(rows, key=lambda row: str(row[1]))}

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks nearest to `query` by cosine, best first. Raises IndexMissing, StoreError."""
        with self._reading() as (db, view):
            check_query(query, view.manifest, self.url)
            among = _allowed(db, view, where)
            vectors = self._vectors_of(view)
            if isinstance(vectors, ExactIndex):
                vectors.sync(view.generation, view.ids, lambda last: read_vectors(db, last))
                found = vectors.search(query, n, among)
            else:
                vectors.sync(
                    view.generation, view.ids, lambda last: read_codes(db, last, width(view.manifest.dim))
                )
                found = vectors.search(query, n, lambda ids: fetch_vectors(db, ids, view.manifest.dim), among)
        return [Scored(*each) for each in found]

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks with the best BM25 score for `terms`, best first. Raises IndexMissing."""
        with self._reading() as (db, view):
            found = view.lexicon.best(db, terms, n, _allowed(db, view, where))
        return [Scored(*each) for each in found]

    def rarities(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is among the chunks, in (0, 1]. Raises IndexMissing."""
        with self._reading() as (db, view):
            return view.lexicon.rarities(db, terms)

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in that order.

        Raises IndexMissing, and StoreError if a chunk is gone (replaced since the search that found it).
        """
        found: dict[int, Chunk] = {}
        with self._readers.transaction() as db:
            for i in range(0, len(ids), MOST_AT_ONCE):
                found |= read_chunks(db, ids[i : i + MOST_AT_ONCE])
        if gone := [chunk for chunk in ids if chunk not in found]:
            raise self._gone(gone[0])
        return [found[chunk] for chunk in ids]

    def latin(self, ids: Sequence[int]) -> list[bool]:
        """Which of these chunks are in Latin script (`rag.text.script`). Raises as `chunks` does."""
        with self._reading() as (_, view):
            rows = np.searchsorted(view.ids, ids)
            there = np.append(view.ids, 0)[rows] == ids if len(ids) else np.ones(0, np.bool_)
            if not there.all():
                raise self._gone(ids[int(np.argmin(there))])
            return [bool(each) for each in view.latin[rows]]

    def rows(self, source: str) -> tuple[Document, list[Chunk], Vectors]:
        """A document with its chunks and their vectors. Raises IndexMissing, StoreError if it is not there."""
        columns = "source, path, sha256, size, modified, type, chunks, first"
        with self._readers.transaction() as db:
            found = db.execute(f"SELECT {columns} FROM documents WHERE source = ?", (source,)).fetchone()  # noqa: S608
            if found is None:
                raise StoreError(f"there is no {source} in the index at {self._folder}")
            document = Document(*found[:7])
            ids = range(found[7], found[7] + document.chunks)
            chunks: dict[int, Chunk] = {}
            for i in range(0, len(ids), MOST_AT_ONCE):
                chunks |= read_chunks(db, ids[i : i + MOST_AT_ONCE])
            found_ids, data = read_run(db, ids)
            require(found_ids == list(ids) and chunks.keys() == set(ids), f"the chunks of {source}")
            dim = read_state(db).manifest.dim
        return document, [chunks[each] for each in ids], unpack(data, dim)

    def write(self, manifest: Manifest) -> AbstractContextManager[SqliteWriter]:
        """The only writer of the index. Raises IndexLocked, EmbedderMismatch, IndexVersion, StoreError."""
        return writing(self._folder, manifest)

    def check(self) -> Checked:
        """Read all of the index and compare it with its check sums. Raises IndexMissing, StoreError."""
        return check(self._folder)

    def repair(self) -> Checked:
        """Make the index anew from the documents that are whole, without embedding.

        Raises IndexLocked, and StoreError where nothing can be saved.
        """
        return repair(self._folder)

    def statistics(self) -> dict[str, int | str]:
        """What `rag status` shows: counts, bytes on disk, how vectors are searched. Raises IndexMissing."""
        with self._readers.transaction() as db:
            generation = db.execute("SELECT generation FROM state").fetchone()[0]
            documents, chunks = db.execute("SELECT count(*), total(chunks) FROM documents").fetchone()
        return {
            "documents": documents,
            "chunks": int(chunks),
            "bytes": self._readers.size(),
            "vectors": KIND if chunks < CODES_FROM else binary_index.KIND,
            "generation": generation,
            "format": VERSION,
        }

    def close(self) -> None:
        """Close all files and free the memory."""
        self._readers.close()
        with self._lock:
            self._view = self._vectors = None

    @contextmanager
    def _reading(self) -> Iterator[tuple[sqlite3.Connection, _View]]:
        """A read transaction, and the view of the generation that it reads."""
        with self._readers.transaction() as db:
            yield db, self._view_of(db)

    def _gone(self, chunk: int) -> StoreError:
        return StoreError(
            f"the index at {self._folder} changed while it was searched (chunk {chunk} is gone): ask again"
        )

    def _view_of(self, db: sqlite3.Connection) -> _View:
        with self._lock:
            if held := self._held(db):
                return held
            view, held = _read_view(db), self._view
            if held is None or held.name != view.name or held.generation < view.generation:
                self._view = view
            return view

    def _held(self, db: sqlite3.Connection) -> _View | None:
        """The view that is kept, if it is of the generation that `db` reads."""
        held = self._view
        now = db.execute("SELECT name, generation FROM state").fetchone()
        return held if held is not None and (held.name, held.generation) == now else None

    def _vectors_of(self, view: _View) -> ExactIndex | binary_index.CodedIndex:
        """The index of vectors for the present number of chunks: exact, or by codes."""
        kind = ExactIndex if len(view.ids) < CODES_FROM else binary_index.CodedIndex
        with self._lock:
            if self._vectors is None or self._vectors[0] != view.name or type(self._vectors[1]) is not kind:
                self._vectors = view.name, kind(view.manifest.dim)
            return self._vectors[1]


def _read_view(db: sqlite3.Connection) -> _View:
    state = read_state(db)
    rows = read_documents(db, state)
    ids = spread([(row[8], row[7]) for row in rows])
    lengths = np.frombuffer(b"".join(row[9] for row in rows), "<u4").astype(np.float32)
    latin = np.frombuffer(b"".join(row[10] for row in rows), np.bool_)
    lexicon = Lexicon(ids, lengths, state.segments)
    return _View(state.name, state.generation, state.manifest, ids, lexicon, latin)


def _allowed(db: sqlite3.Connection, view: _View, where: Where | None) -> Ids | None:
    """The ids of the chunks that match `where`, ascending; None for all."""
    if where is None or where == Where():
        return None
    if (known := view.allowed.get(where)) is not None:
        return known
    ids = find_ids(db, where)
    if len(view.allowed) >= _FILTERS_KEPT:
        view.allowed.clear()
    view.allowed[where] = ids
    return ids
