"""What is read of an embedded index: chunks, vectors and codes, each compared with its check sum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from rag.stores.faiss.exact_index import Ids, unpack
from rag.stores.faiss.filters import sql
from rag.stores.faiss.schema import CHUNK
from rag.stores.faiss.sums import Damage, require, row_sum
from rag.types import Chunk, Vectors, Where

MOST_AT_ONCE = 500
"""Ids in one query to SQLite."""


def find_ids(db: sqlite3.Connection, where: Where) -> Ids:
    """The ids of the chunks that match `where`, ascending."""
    query, values = sql(where)
    return spread(db.execute(query, values).fetchall())


def spread(ranges: Sequence[tuple[int, int]]) -> Ids:
    """All ids of the documents whose (first id, number of chunks) these are."""
    firsts, counts = np.array(ranges, np.int64).reshape(-1, 2).T
    before = np.cumsum(counts) - counts
    return np.repeat(firsts - before, counts) + np.arange(counts.sum())


def read_vectors(db: sqlite3.Connection, last: int) -> Iterator[tuple[Ids, bytes]]:
    """The vectors of chunks behind `last`, many at once. Raises Damage."""
    rows = db.execute("SELECT id, data, sum FROM vectors WHERE id > ? ORDER BY id", (last,))
    while some := rows.fetchmany(MOST_AT_ONCE):
        _check_sums(some, "a vector")
        yield np.array([each[0] for each in some], np.int64), b"".join(each[1] for each in some)


def read_codes(db: sqlite3.Connection, last: int, size: int) -> Iterator[tuple[Ids, bytes]]:
    """The codes of chunks behind `last`. Raises Damage."""
    for row in db.execute("SELECT first, data, sum FROM codes WHERE first > ? ORDER BY first", (last,)):
        _check_sums([row], "a code")
        yield np.arange(row[0], row[0] + len(row[1]) // size), row[1]


def fetch_vectors(db: sqlite3.Connection, ids: Ids, dim: int) -> tuple[Ids, Vectors]:
    """The vectors of these chunks, ascending. Raises Damage."""
    query = "SELECT id, data, sum FROM vectors WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
    rows = db.execute(query, (json.dumps(ids.tolist()),)).fetchall()
    _check_sums(rows, "a vector")
    return np.array([each[0] for each in rows], np.int64), unpack(b"".join(each[1] for each in rows), dim)


def read_run(db: sqlite3.Connection, ids: range) -> tuple[list[int], bytes]:
    """The vectors of chunks whose ids follow one another, as they are stored. Raises Damage."""
    query = "SELECT id, data, sum FROM vectors WHERE id BETWEEN ? AND ? ORDER BY id"
    rows = db.execute(query, (ids.start, ids.stop - 1)).fetchall()
    _check_sums(rows, "a vector")
    return [each[0] for each in rows], b"".join(each[1] for each in rows)


def read_chunks(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, Chunk]:
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


def _check_sums(rows: Sequence[tuple[int, bytes, int]], what: str) -> None:
    for key, data, total in rows:
        if not isinstance(data, bytes) or crc32(data, key & 0xFFFFFFFF) != total:
            raise Damage(what)
