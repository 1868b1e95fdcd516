"""The one row that says what an index is, and the documents that it vouches for: read and checked, and written."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from rag.stores.common.manifest import from_json
from rag.stores.faiss.postings import Segments, segments
from rag.stores.faiss.schema import DOCUMENT
from rag.stores.faiss.sums import Damage, require, row_sum, state_sum
from rag.types import Manifest

_COLUMNS = "name, manifest, generation, next, documents, digest"


@dataclass(frozen=True, slots=True)
class State:
    """An index at one commit. `documents` is their number, `digest` all their sums, xored."""

    name: str
    manifest: Manifest
    generation: int
    next: int
    documents: int
    digest: int
    segments: Segments


def read_state(db: sqlite3.Connection) -> State:
    """The state, with its segments. Raises Damage."""
    row = db.execute(f"SELECT {_COLUMNS}, sum FROM state").fetchone()  # noqa: S608
    require(row is not None, "what it is made with")
    parts = segments(db)
    require(row[-1] == state_sum(row[:-1], _sums(db)), "what it is made with")
    name, manifest, generation, next_chunk, documents, digest = row[:-1]
    return State(name, from_json(manifest), generation, next_chunk, documents, digest, parts)


def read_documents(db: sqlite3.Connection, state: State) -> list[tuple[Any, ...]]:
    """Every document's row (`schema.DOCUMENT`, its sum last), in order of its chunks. Raises Damage."""
    rows = db.execute(f"SELECT {DOCUMENT}, sum FROM documents ORDER BY first").fetchall()  # noqa: S608
    digest = 0
    for *row, total in rows:
        if total != row_sum(*row):
            raise Damage(f"what is known of {row[1]}")
        digest ^= total
    require((len(rows), digest) == (state.documents, state.digest), "the list of documents")
    return rows


def write_state(db: sqlite3.Connection, next_chunk: int, documents: int, digest: int) -> None:
    """One more generation, in the transaction that is open."""
    name, manifest, generation = db.execute("SELECT name, manifest, generation FROM state").fetchone()
    row = (name, manifest, generation + 1, next_chunk, documents, digest)
    db.execute("DELETE FROM state")
    db.execute("INSERT INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", (*row, state_sum(row, _sums(db))))


def _sums(db: sqlite3.Connection) -> list[tuple[int, int]]:
    return db.execute("SELECT id, sum FROM segments ORDER BY id").fetchall()
