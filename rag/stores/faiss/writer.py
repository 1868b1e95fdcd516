"""The writer of an embedded index: what it writes to SQLite."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np

from rag.errors import StoreError
from rag.stores.common.checks import check_text, check_vectors, encodable
from rag.stores.common.manifest import check_same, check_terms, to_json
from rag.stores.faiss.binary_codes import encode
from rag.stores.faiss.binary_index import BLOCK
from rag.stores.faiss.exact_index import pack
from rag.stores.faiss.lock import locked
from rag.stores.faiss.postings import PostingsWriter
from rag.stores.faiss.schema import (
    CHUNK,
    DOCUMENT,
    FILE,
    check_format,
    connect_to_write,
    create_tables,
    identity,
    translate_errors,
)
from rag.stores.faiss.state import read_state, write_state
from rag.stores.faiss.sums import require, row_sum
from rag.text import chunk_terms, embedding_text, script
from rag.types import Chunk, Document, Manifest, Vectors


@contextmanager
def writing(folder: Path, manifest: Manifest) -> Iterator[SqliteWriter]:
    """The writer of the index in `folder`, which is created if it is not there; see `rag.stores.Store.write`."""
    check_terms(manifest, f"faiss:{folder}")
    with translate_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        with translate_errors(folder):
            writer = SqliteWriter(folder, manifest, connect_to_write(folder / FILE))
        try:
            writer.begin()
            yield writer
        finally:
            writer.close()


@dataclass(slots=True)
class _Opened:
    """A document that chunks are added to: the key of its row, its first chunk, and what goes into the row."""

    key: int
    first: int
    lengths: bytearray = field(default_factory=bytearray)
    scripts: bytearray = field(default_factory=bytearray)


class SqliteWriter:
    """`rag.stores.Writer` on SQLite: everything between two commits is one transaction.

    An error of SQLite undoes everything that was not committed, and the writer then accepts nothing more.
    """

    def __init__(self, folder: Path, manifest: Manifest, db: sqlite3.Connection) -> None:
        self._folder = folder
        self._manifest = manifest
        self._db = db
        self._file = identity(folder / FILE)
        self._next, self._documents, self._digest = 1, 0, 0
        self._changed = False
        self._failed = False
        self._postings = PostingsWriter(db)

    def begin(self) -> None:
        """Begin the first transaction; in an empty file, create the schema and write the manifest."""
        with self._step():
            if check_format(self._db, self._folder):
                state = read_state(self._db)
                self._next, self._documents, self._digest = state.next, state.documents, state.digest
                check_same(state.manifest, self._manifest, f"faiss:{self._folder}")
                return
            create_tables(self._db)
            made = (uuid.uuid4().hex, to_json(self._manifest))
            self._db.execute("INSERT INTO state VALUES (1, ?, ?, 0, 1, 0, 0, 0)", made)
            self._changed = True

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add `document`, replacing an earlier one of the same source. Rows of `vectors` match `chunks`.

        Raises StoreError for vectors of another shape or not of unit length, and for text that no
        file can hold (half a surrogate pair, also in a file's name); nothing has changed then.
        """
        self._check(document, chunks, vectors)
        with self._step():
            opened = self._open(document)
            self._add(opened, chunks, vectors)
            self._store_lengths(opened)

    @contextmanager
    def put_in_parts(self, document: Document) -> Iterator[Callable[[Sequence[Chunk], Vectors], None]]:
        """Add `document` piece by piece: what is yielded takes chunks and their vectors, as `put` does.

        Where the block raises, nothing of it stays, and what was put before does. Nothing else may be put,
        removed or committed meanwhile.
        """
        with self._step():
            self._postings.flush()
            self._db.execute("SAVEPOINT document")
            before = self._next, self._changed, self._documents, self._digest
            opened = self._open(document)

        def add(chunks: Sequence[Chunk], vectors: Vectors) -> None:
            self._check(document, chunks, vectors)
            with self._step():
                self._add(opened, chunks, vectors)

        try:
            yield add
        except BaseException:
            if not self._failed:
                with self._step():
                    self._postings.drop()
                    self._db.execute("ROLLBACK TO document")
                    self._next, self._changed, self._documents, self._digest = before
            raise
        with self._step():
            self._store_lengths(opened)
            self._db.execute("RELEASE document")

    def _check(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        check_text(document, chunks)
        check_vectors(document.source, len(chunks), vectors, self._manifest, f"faiss:{self._folder}")

    def _open(self, document: Document) -> _Opened:
        """A row for `document`, without chunks so far, in place of any earlier one of that source."""
        self._delete(document.source)
        self._db.execute(
            "INSERT INTO documents (source, path, sha256, size, modified, type, chunks, first, lengths, scripts,"
            " sum) VALUES (?, ?, ?, ?, ?, ?, 0, ?, x'', x'', 0)",
            (document.source, document.path, document.sha256, document.size, document.modified, document.type,
             self._next),
        )  # fmt: skip
        self._changed = True
        return _Opened(int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0]), self._next)

    def _add(self, opened: _Opened, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        terms = [chunk_terms(chunk) for chunk in chunks]
        first = self._next
        self._next += len(chunks)
        self._insert_chunks(opened.key, first, chunks)
        self._insert_vectors(first, vectors)
        opened.lengths += np.array([len(each) for each in terms], "<u4").tobytes()
        opened.scripts += bytes(script(embedding_text(chunk)) == "latin" for chunk in chunks)
        # Before the postings: those of chunks that no document has are dropped when segments are merged.
        self._db.execute("UPDATE documents SET chunks = ? WHERE id = ?", (self._next - opened.first, opened.key))
        self._postings.add(first, terms)

    def _store_lengths(self, opened: _Opened) -> None:
        columns = bytes(opened.lengths), bytes(opened.scripts), opened.key
        self._db.execute("UPDATE documents SET lengths = ?, scripts = ? WHERE id = ?", columns)
        row = self._db.execute(f"SELECT {DOCUMENT} FROM documents WHERE id = ?", (opened.key,)).fetchone()  # noqa: S608
        total = row_sum(*row)
        self._db.execute("UPDATE documents SET sum = ? WHERE id = ?", (total, opened.key))
        self._documents, self._digest = self._documents + 1, self._digest ^ total

    def remove(self, sources: Iterable[str]) -> int:
        """Remove these sources; returns how many of them were there."""
        with self._step():
            return sum(self._delete(source) for source in dict.fromkeys(sources) if encodable(source))

    def commit(self) -> None:
        """Make all changes since the last commit visible to readers, in one step that survives a power cut."""
        if self._failed or self._changed:
            with self._step():
                self._postings.flush()
                write_state(self._db, self._next, self._documents, self._digest)
                self._db.execute("COMMIT")
                self._changed = False
            self._check_still_there()

    def _check_still_there(self) -> None:
        """Raise StoreError where the file was deleted or replaced: SQLite goes on writing to what nobody sees."""
        if identity(self._folder / FILE) != self._file:
            self._failed = True
            raise StoreError(
                f"the index at {self._folder} was deleted or replaced while it was written, and nothing of this "
                "is left: run the command again"
            )

    def close(self) -> None:
        """Undo what was not committed, and close the file."""
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        self._db.close()

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A step of the transaction, begun if necessary: done completely; otherwise the writer has failed."""
        if self._failed:
            raise StoreError(f"writing to the index at {self._folder} failed before: run the command again")
        try:
            with translate_errors(self._folder):
                if not self._db.in_transaction:
                    self._db.execute("BEGIN IMMEDIATE")
                yield
        except BaseException:
            self._failed = True
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _insert_chunks(self, document: int, first: int, chunks: Sequence[Chunk]) -> None:
        rows = (
            (first + i, document, c.position, c.page, c.start, c.end, json.dumps(c.heading, ensure_ascii=False),
             c.text, c.place)
            for i, c in enumerate(chunks)
        )  # fmt: skip
        summed = ((*row, row_sum(*row)) for row in rows)
        self._db.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", summed)
        self._changed = True

    def _insert_vectors(self, first: int, vectors: Vectors) -> None:
        rows = enumerate(map(pack, vectors), first)
        self._db.executemany("INSERT INTO vectors VALUES (?, ?, ?)", _with_sums(rows))
        blocks = ((first + i, encode(vectors[i : i + BLOCK]).tobytes()) for i in range(0, len(vectors), BLOCK))
        self._db.executemany("INSERT INTO codes VALUES (?, ?, ?)", _with_sums(blocks))

    def _delete(self, source: str) -> int:
        """Take a document out, if it is there; 1 if it was."""
        found = self._db.execute(
            "SELECT id, first, chunks, sum FROM documents WHERE source = ?", (source,)
        ).fetchone()
        if found is None:
            return 0
        key, first, count, total = found
        ids = (first, first + count - 1)
        seen = 0
        for *row, held in self._db.execute(f"SELECT {CHUNK}, sum FROM chunks WHERE id BETWEEN ? AND ?", ids):  # noqa: S608
            require(held == row_sum(*row), f"a passage of {source}")
            self._postings.remove(_terms(source, row[6], row[7]))
            seen += 1
        require(seen == count, f"the passages of {source}")
        self._db.execute("DELETE FROM chunks WHERE id BETWEEN ? AND ?", ids)
        self._db.execute("DELETE FROM vectors WHERE id BETWEEN ? AND ?", ids)
        self._db.execute("DELETE FROM codes WHERE first BETWEEN ? AND ?", ids)
        self._db.execute("DELETE FROM documents WHERE id = ?", (key,))
        self._documents, self._digest = self._documents - 1, self._digest ^ total
        self._changed = True
        return 1


def _terms(source: str, heading: str, text: str) -> list[str]:
    return chunk_terms(Chunk(source, text, 0, len(text), heading=tuple(json.loads(heading))))


def _with_sums(rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, int]]:
    return ((key, data, crc32(data, key & 0xFFFFFFFF)) for key, data in rows)
