"""The embedded store: a folder with one SQLite file, searched by FAISS and BM25."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from rag.errors import IndexMissing, StoreError
from rag.stores import Checked
from rag.stores.common.checks import check_query
from rag.stores.faiss import binary_index
from rag.stores.faiss.binary_codes import width
from rag.stores.faiss.bm25_index import Lexicon
from rag.stores.faiss.check import check, repair
from rag.stores.faiss.exact_index import KIND, ExactIndex, unpack
from rag.stores.faiss.filters import sql
from rag.stores.faiss.schema import CHUNK, VERSION, Readers
from rag.stores.faiss.state import read_documents, read_state
from rag.stores.faiss.sums import require, row_sum
from rag.stores.faiss.writer import SqliteWriter, writing
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

Ids = npt.NDArray[np.int64]

_FILTERS_KEPT = 16
_MOST_AT_ONCE = 500  # ids in one query to SQLite


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
                return read_state(db).manifest
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
                vectors.sync(view.generation, view.ids, lambda last: _vectors(db, last))
                found = vectors.search(query, n, among)
            else:
                vectors.sync(view.generation, view.ids, lambda last: _codes(db, last, width(view.manifest.dim)))
                found = vectors.search(query, n, lambda ids: _fetch(db, ids, view.manifest.dim), among)
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
            for i in range(0, len(ids), _MOST_AT_ONCE):
                found |= _read_chunks(db, ids[i : i + _MOST_AT_ONCE])
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
            for i in range(0, len(ids), _MOST_AT_ONCE):
                chunks |= _read_chunks(db, ids[i : i + _MOST_AT_ONCE])
            found_ids, data = _fetch_range(db, ids)
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
            "vectors": KIND if chunks < binary_index.FROM else binary_index.KIND,
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
        name, generation = db.execute("SELECT name, generation FROM state").fetchone()
        with self._lock:
            held = self._view
            if held is not None and (held.name, held.generation) == (name, generation):
                return held
            view = _read_view(db)
            if held is None or held.name != name or held.generation < generation:
                self._view = view
            return view

    def _vectors_of(self, view: _View) -> ExactIndex | binary_index.CodedIndex:
        """The index of vectors for the present number of chunks: exact, or by codes."""
        kind = ExactIndex if len(view.ids) < binary_index.FROM else binary_index.CodedIndex
        with self._lock:
            if self._vectors is None or self._vectors[0] != view.name or type(self._vectors[1]) is not kind:
                self._vectors = view.name, kind(view.manifest.dim)
            return self._vectors[1]


def _read_view(db: sqlite3.Connection) -> _View:
    state = read_state(db)
    rows = read_documents(db, state)
    ids = _spread([(row[8], row[7]) for row in rows])
    lengths = np.frombuffer(b"".join(row[9] for row in rows), "<u4").astype(np.float32)
    latin = np.frombuffer(b"".join(row[10] for row in rows), np.bool_)
    lexicon = Lexicon(ids, lengths, state.segments)
    return _View(state.name, state.generation, state.manifest, ids, lexicon, latin)


def _spread(ranges: Sequence[tuple[int, int]]) -> Ids:
    """All ids of the documents whose (first id, number of chunks) these are."""
    firsts, counts = np.array(ranges, np.int64).reshape(-1, 2).T
    before = np.cumsum(counts) - counts
    return np.repeat(firsts - before, counts) + np.arange(counts.sum())


def _vectors(db: sqlite3.Connection, last: int) -> Iterator[tuple[Ids, bytes]]:
    """The vectors of chunks behind `last`, many at once. Raises Damage."""
    rows = db.execute("SELECT id, data, sum FROM vectors WHERE id > ? ORDER BY id", (last,))
    while some := rows.fetchmany(_MOST_AT_ONCE):
        _check_sums(some, "a vector")
        yield np.array([each[0] for each in some], np.int64), b"".join(each[1] for each in some)


def _codes(db: sqlite3.Connection, last: int, size: int) -> Iterator[tuple[Ids, bytes]]:
    """The codes of chunks behind `last`. Raises Damage."""
    for row in db.execute("SELECT first, data, sum FROM codes WHERE first > ? ORDER BY first", (last,)):
        _check_sums([row], "a code")
        yield np.arange(row[0], row[0] + len(row[1]) // size), row[1]


def _fetch(db: sqlite3.Connection, ids: Ids, dim: int) -> tuple[Ids, Vectors]:
    """The vectors of these chunks, ascending. Raises Damage."""
    query = "SELECT id, data, sum FROM vectors WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    rows = db.execute(query, (json.dumps(ids.tolist()),)).fetchall()
    _check_sums(rows, "a vector")
    return np.array([each[0] for each in rows], np.int64), unpack(b"".join(each[1] for each in rows), dim)


def _fetch_range(db: sqlite3.Connection, ids: range) -> tuple[list[int], bytes]:
    query = "SELECT id, data, sum FROM vectors WHERE id BETWEEN ? AND ? ORDER BY id"
    rows = db.execute(query, (ids.start, ids.stop - 1)).fetchall()
    _check_sums(rows, "a vector")
    return [each[0] for each in rows], b"".join(each[1] for each in rows)


def _check_sums(rows: Sequence[tuple[int, bytes, int]], what: str) -> None:
    for key, data, total in rows:
        require(isinstance(data, bytes) and crc32(data, key & 0xFFFFFFFF) == total, what)


def _allowed(db: sqlite3.Connection, view: _View, where: Where | None) -> Ids | None:
    """The ids of the chunks that match `where`, ascending; None for all."""
    if where is None or where == Where():
        return None
    if (known := view.allowed.get(where)) is not None:
        return known
    query, values = sql(where)
    ids = _spread(db.execute(query, values).fetchall())
    if len(view.allowed) >= _FILTERS_KEPT:
        view.allowed.clear()
    view.allowed[where] = ids
    return ids


def _read_chunks(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Chunk]:
    """Those of these chunks that are there. Raises Damage."""
    marks = ", ".join("?" * len(ids))
    columns = ", ".join(f"c.{name.strip()}" for name in CHUNK.split(","))
    query = f"SELECT {columns}, c.sum, d.source FROM chunks c JOIN documents d ON d.id = c.document"  # noqa: S608
    found: dict[int, Chunk] = {}
    for *row, total, source in db.execute(f"{query} WHERE c.id IN ({marks})", [*map(int, ids)]):
        key, _, position, page, start, end, heading, text, place = row
        require(total == row_sum(*row), f"a passage of {source}")
        found[key] = Chunk(source, text, start, end, position, page, tuple(json.loads(heading)), place)
    return found
