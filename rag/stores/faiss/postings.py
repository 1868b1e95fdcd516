"""Which chunks contain a term, and how often: postings in segments, one for each commit, merged as they grow.

SQLite's FTS5 gives a term's postings row by row at about 0.1 µs each: half a second for a common word of a
million chunks. Here they are bytes that NumPy reads directly. A segment is never changed: a removed chunk is
subtracted from the frequencies in a later segment, and its postings disappear when both are merged.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from rag.stores._tuned import FAN, TIER
from rag.stores.faiss.sums import Keys, holds, keys_of, require, row_sum

POSTING = np.dtype([("count", "u1"), ("id", "<u4")])
"""How often the term occurs in the chunk (at most 255: above, BM25 hardly changes), and the chunk's id."""

_MOST_HELD = 400_000  # postings in memory before they are written, committed or not
_MOST_TERMS = 20_000  # terms, of which each takes some hundred bytes

_MERGE = """
INSERT INTO postings SELECT ?1, term, f, crc(d), row_sum(?1, term, f, crc(d)), d FROM (
    SELECT term, sum(frequency) AS f, CAST(group_concat({0}, '') AS BLOB) AS d FROM postings
    WHERE segment IN ({1}) GROUP BY term HAVING f != 0 OR length(d) > 0)"""

Segments = Mapping[int, Keys]
"""The segments that together are the index, each with the digests of its terms."""


def frequencies(db: sqlite3.Connection, segments: Segments, terms: Iterable[str]) -> dict[str, int]:
    """How many chunks hold each of `terms`. Raises Damage."""
    return {term: sum(row[0] for row in _rows(db, segments, term)) for term in terms}


def read(db: sqlite3.Connection, segments: Segments, term: str) -> npt.NDArray[np.void]:
    """``(n,) POSTING`` of `term`, ascending by id; chunks that are gone may be among them. Raises Damage."""
    parts: list[bytes] = []
    for _, whole, data in _rows(db, segments, term, ", data"):
        require(isinstance(data, bytes) and crc32(data) == whole, f"where {term!r} stands")
        parts.append(data)
    found = np.frombuffer(b"".join(parts), POSTING)
    ids = found["id"]
    return found if (ids[1:] > ids[:-1]).all() else found[np.argsort(ids)]


def _rows(db: sqlite3.Connection, segments: Segments, term: str, more: str = "") -> list[tuple[Any, ...]]:
    """Frequency and sum of the data (and `more`) in each segment that holds `term`."""
    key = keys_of([term])[0]
    held = [segment for segment, keys in segments.items() if holds(keys, key)]
    query = (
        f"SELECT segment, sum, frequency, whole{more} FROM postings WHERE segment IN ({_marks(held)}) AND term = ?"  # noqa: S608
    )
    rows = db.execute(query, (*held, term)).fetchall()
    require(len(rows) == len(held), f"a term, {term!r}")
    for segment, total, frequency, whole, *_ in rows:
        require(total == row_sum(segment, term, frequency, whole), f"a term, {term!r}")
    return [row[2:] for row in rows]


def segments(db: sqlite3.Connection) -> Segments:
    """The segments of the index, in order. Raises Damage."""
    found: dict[int, Keys] = {}
    for key, size, terms, total in db.execute("SELECT id, size, terms, sum FROM segments ORDER BY id"):
        require(total == row_sum(key, size, terms), "a list of terms")
        found[key] = np.frombuffer(terms, "<u8")
    return found


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


class PostingsWriter:
    """Collects what a transaction adds and removes, and writes it as a new segment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.create_function("crc", 1, crc32, deterministic=True)
        db.create_function("row_sum", -1, row_sum, deterministic=True)
        self._fresh: defaultdict[str, bytearray] = defaultdict(bytearray)
        self._gone: Counter[str] = Counter()
        self._size = 0

    def add(self, first: int, chunks: Sequence[Sequence[str]]) -> None:
        """Add the terms of new chunks, whose ids count up from `first`."""
        fresh = self._fresh
        for key, terms in enumerate(chunks, first):
            counts = Counter(terms)
            for term, count in counts.items():
                fresh[term] += (key << 8 | min(count, 255)).to_bytes(POSTING.itemsize, "little")
            self._size += len(counts)
        self._bound()

    def remove(self, terms: Iterable[str]) -> None:
        """Remove the terms of a chunk."""
        self._gone.update(set(terms))
        self._bound()

    def drop(self) -> None:
        """Forget what was not flushed."""
        self._fresh.clear()
        self._gone.clear()
        self._size = 0

    def _bound(self) -> None:
        if self._size > _MOST_HELD or len(self._fresh) + len(self._gone) > _MOST_TERMS:
            self.flush()

    def flush(self) -> None:
        """Write a segment in the open transaction, and merge segments if there are too many."""
        if not self._fresh and not self._gone:
            return
        added = ((term, self._fresh.get(term, b"")) for term in sorted(self._fresh.keys() | self._gone.keys()))
        key = self._new()
        rows = (_row(key, term, len(data) // POSTING.itemsize - self._gone[term], data) for term, data in added)
        self._db.executemany("INSERT INTO postings VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._close(key, self._size)
        self.drop()
        while (crowd := self._crowd()) is not None:
            self._merge(crowd)

    def _new(self) -> int:
        self._db.execute("INSERT INTO segments (size, terms, sum) VALUES (0, x'', 0)")
        return int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])

    def _close(self, key: int, size: int) -> None:
        """Note what is in the segment that was just filled."""
        terms = (row[0] for row in self._db.execute("SELECT term FROM postings WHERE segment = ?", (key,)))
        keys = keys_of(terms).data.cast("B")  # megabytes, which need no copy
        row = (size, keys, row_sum(key, size, keys), key)
        self._db.execute("UPDATE segments SET size = ?, terms = ?, sum = ? WHERE id = ?", row)

    def _crowd(self) -> list[int] | None:
        """The segments of the lowest tier that has enough of them to be merged."""
        tiers: defaultdict[int, list[int]] = defaultdict(list)
        for key, size in self._db.execute("SELECT id, size FROM segments"):
            tiers[_tier(size)].append(key)
        return next((tiers[tier] for tier in sorted(tiers) if len(tiers[tier]) >= FAN), None)

    def _merge(self, keys: Sequence[int]) -> None:
        data = "data"
        if alive := self._alive():
            self._db.create_function("alive", 1, alive, deterministic=True)
            data = "alive(data)"
        among = ", ".join(map(str, keys))
        check_segments(self._db, keys)  # what is merged is not told from what was damaged
        new = self._new()
        self._db.execute(_MERGE.format(data, among), (new,))
        held = self._db.execute("SELECT total(length(data)) FROM postings WHERE segment = ?", (new,)).fetchone()[0]
        self._close(new, int(held) // POSTING.itemsize)
        self._db.execute(f"DELETE FROM postings WHERE segment IN ({among})")  # noqa: S608
        self._db.execute(f"DELETE FROM segments WHERE id IN ({among})")  # noqa: S608

    def _alive(self) -> Callable[[bytes], bytes] | None:
        """A function that removes the postings of deleted chunks; None if no chunk was ever deleted."""
        held = self._db.execute("SELECT first, chunks FROM documents WHERE chunks > 0").fetchall()
        there = np.zeros(max((first + count for first, count in held), default=1), np.bool_)
        for first, count in held:
            there[first : first + count] = True
        if there[1:].all():
            return None

        def alive(data: bytes) -> bytes:
            found = np.frombuffer(data, POSTING)
            ids = found["id"]
            return bytes(found[there[np.minimum(ids, len(there) - 1)] & (ids < len(there))].tobytes())

        return alive


def check_segments(db: sqlite3.Connection, keys: Iterable[int]) -> None:
    """Raise Damage unless these segments are whole."""
    known = segments(db)
    for key in keys:
        there = keys_of(_checked_terms(db, key))
        require(key in known and np.array_equal(there, known[key]), "a list of terms")


def _checked_terms(db: sqlite3.Connection, segment: int) -> Iterator[str]:
    """The terms of a segment, each when its row was found whole. Raises Damage."""
    query = "SELECT term, frequency, whole, sum, data FROM postings WHERE segment = ?"
    for term, frequency, whole, total, data in db.execute(query, (segment,)):
        require(isinstance(data, bytes) and crc32(data) == whole, f"where {term!r} stands")
        require(total == row_sum(segment, term, frequency, whole), f"a term, {term!r}")
        yield term


def _row(
    segment: int, term: str, frequency: int, data: bytes | bytearray
) -> tuple[int, str, int, int, int, bytes]:
    whole = crc32(data)
    return segment, term, frequency, whole, row_sum(segment, term, frequency, whole), bytes(data)


def _tier(size: int) -> int:
    tier = 0
    while size >= TIER * FAN**tier:
        tier += 1
    return tier
