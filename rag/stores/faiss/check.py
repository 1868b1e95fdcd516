"""All of an index read and compared with its check sums; and made anew from what is whole."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

from rag.errors import StoreError
from rag.stores import Checked
from rag.stores.common.manifest import from_json
from rag.stores.faiss.binary_codes import width
from rag.stores.faiss.exact_index import unpack
from rag.stores.faiss.lock import locked
from rag.stores.faiss.postings import check_segments, segments
from rag.stores.faiss.schema import CHUNK, DOCUMENT, FILE, Readers
from rag.stores.faiss.state import read_documents, read_state
from rag.stores.faiss.sums import require, row_sum
from rag.stores.faiss.writer import writing
from rag.types import Chunk, Document, Manifest, Vectors

_REPAIR = ".repair"  # the folder in which an index is made anew
_ERRORS = (sqlite3.Error, ValueError, TypeError, LookupError, OverflowError)


def check(folder: Path) -> Checked:
    """Read all of the index in `folder`. Raises IndexMissing, IndexVersion, StoreError for what is no index."""
    found = Checked()
    with _reading(folder) as db:
        for what, look in (
            ("the file", _check_file),
            ("what it was made with", read_state),
            ("the list of documents", lambda db: read_documents(db, read_state(db))),
            ("the index of terms", lambda db: check_segments(db, segments(db))),
        ):
            try:
                look(db)
            except _ERRORS as exc:
                found.problems.append(f"{what}: {exc}")
        dim = _dim(db)
        for source, rows in _documents(db, found):
            try:
                document, chunks, _ = _whole(db, rows, dim)
                found.documents, found.chunks = found.documents + 1, found.chunks + len(chunks)
            except _ERRORS as exc:
                found.problems.append(f"{source}: {exc}")
                found.lost.append(source)
                continue
            try:
                _check_codes(db, rows[8], document.chunks, dim)
            except _ERRORS as exc:
                found.problems.append(f"{source}: {exc}")
    return found


def repair(folder: Path) -> Checked:
    """Make the index anew, without embedding, from the documents that are whole; the others are `lost`.

    Raises IndexLocked, and StoreError where nothing can be saved.
    """
    found = check(folder)
    if not found.problems:
        return found
    scratch = folder / _REPAIR
    with locked(folder):
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            with _reading(folder) as db:
                manifest = _manifest(db)
                if manifest is None:
                    raise StoreError(
                        f"the index at {folder} is damaged and nothing of it can be saved: ingest the documents "
                        "again into a new index, with --index faiss:NEW"
                    )
                with writing(scratch, manifest) as writer:
                    for source, rows in _documents(db, Checked()):
                        if source not in found.lost:
                            writer.put(*_whole(db, rows, manifest.dim))
                            writer.commit()
                    writer.commit()
            # A log that is left behind would be read into the new file.
            for end in ("-wal", "-shm"):
                (folder / (FILE + end)).unlink(missing_ok=True)
            (scratch / FILE).replace(folder / FILE)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return found


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A reader's connection. What fails at the end of its transaction was noted where it was read."""
    readers = Readers(folder)
    transaction = readers.transaction()
    db = transaction.__enter__()
    try:
        yield db
    finally:
        with suppress(StoreError):
            transaction.__exit__(None, None, None)
        readers.close()


def _check_file(db: sqlite3.Connection) -> None:
    said = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
    require(said == ["ok"], "; ".join(map(str, said)))


def _manifest(db: sqlite3.Connection) -> Manifest | None:
    try:
        return from_json(db.execute("SELECT manifest FROM state").fetchone()[0])
    except _ERRORS:
        return None


def _dim(db: sqlite3.Connection) -> int:
    manifest = _manifest(db)
    return manifest.dim if manifest else 0


def _documents(db: sqlite3.Connection, found: Checked) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Each document's name and row; one that cannot be read is a problem."""
    try:
        keys = [row[0] for row in db.execute("SELECT id FROM documents ORDER BY first")]
    except _ERRORS as exc:
        found.problems.append(f"the list of documents: {exc}")
        return
    for key in keys:
        try:
            row = db.execute(f"SELECT {DOCUMENT}, sum FROM documents WHERE id = ?", (key,)).fetchone()  # noqa: S608
            require(row is not None and row[-1] == row_sum(*row[:-1]), f"what is known of document {key}")
        except _ERRORS as exc:
            found.problems.append(f"the list of documents: {exc}")
            continue
        yield row[1], row[:-1]


def _whole(db: sqlite3.Connection, row: tuple[object, ...], dim: int) -> tuple[Document, list[Chunk], Vectors]:
    """A document with its chunks and vectors. Raises Damage."""
    document, first = Document(*row[1:8]), int(str(row[8]))  # type: ignore[arg-type]
    ids = (first, first + document.chunks - 1)
    chunks: list[Chunk] = []
    query = f"SELECT {CHUNK}, sum FROM chunks WHERE id BETWEEN ? AND ? ORDER BY id"  # noqa: S608
    for *values, total in db.execute(query, ids):
        require(total == row_sum(*values) and values[0] == first + len(chunks), "a passage")
        _, _, position, page, start, end, heading, text, place = values
        chunks.append(Chunk(document.source, text, start, end, position, page, tuple(json.loads(heading)), place))
    require(len(chunks) == document.chunks, "its passages")
    rows = db.execute("SELECT id, data, sum FROM vectors WHERE id BETWEEN ? AND ? ORDER BY id", ids).fetchall()
    require([each[0] for each in rows] == list(range(ids[0], ids[1] + 1)), "which passages have vectors")
    for key, data, total in rows:
        require(isinstance(data, bytes) and len(data) == 2 * dim and crc32(data, key) == total, "a vector")
    return document, chunks, unpack(b"".join(each[1] for each in rows), dim)


def _check_codes(db: sqlite3.Connection, first: object, count: int, dim: int) -> None:
    at = start = int(str(first))
    rows = db.execute(
        "SELECT first, data, sum FROM codes WHERE first BETWEEN ? AND ? ORDER BY first", (start, start + count - 1)
    )
    for key, data, total in rows:
        require(key == at and isinstance(data, bytes) and crc32(data, key) == total, "its codes")
        at += len(data) // width(dim)
    require(at == start + count, "its codes")
