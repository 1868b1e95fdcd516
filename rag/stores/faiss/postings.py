"""Which chunks contain a term, and how often: postings in segments, one for each commit, merged as they grow.

SQLite's FTS5 gives a term's postings row by row at about 0.1 µs each: half a second for a common word of a
million chunks. Here they are bytes that NumPy reads directly. A segment is never changed: a removed chunk is
subtracted from the frequencies in a later segment, and its postings disappear when both are merged.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

POSTING = np.dtype([("count", "u1"), ("id", "<u4")])
"""How often the term occurs in the chunk (at most 255: above, BM25 hardly changes), and the chunk's id."""

_TIER = 1 << 15  # postings of a segment of the lowest tier; each tier above has `_FAN` times as many
_FAN = 8  # segments of one tier that are merged
_MOST_HELD = 4_000_000  # postings in memory before they are written, committed or not
_MOST_TERMS = 200_000  # terms, of which each takes a hundred bytes

_MERGE = """
INSERT INTO postings SELECT ?1, term, sum(frequency) AS f, CAST(group_concat({0}, '') AS BLOB) AS d FROM postings
WHERE segment IN ({1}) GROUP BY term HAVING f != 0 OR length(d) > 0"""


def frequencies(db: sqlite3.Connection, segments: Sequence[int], terms: Iterable[str]) -> dict[str, int]:
    """How many chunks contain each of `terms`."""
    query = f"SELECT total(frequency) FROM postings WHERE segment IN ({_marks(segments)}) AND term = ?"  # noqa: S608
    return {term: int(db.execute(query, (*segments, term)).fetchone()[0]) for term in terms}


def read(db: sqlite3.Connection, segments: Sequence[int], term: str) -> npt.NDArray[np.void]:
    """``(n,) POSTING`` of `term`, ascending by id; chunks that are gone may be among them."""
    query = f"SELECT data FROM postings WHERE segment IN ({_marks(segments)}) AND term = ?"  # noqa: S608
    found = np.frombuffer(b"".join(row[0] for row in db.execute(query, (*segments, term))), POSTING)
    ids = found["id"]
    return found if (ids[1:] > ids[:-1]).all() else found[np.argsort(ids)]


def segments(db: sqlite3.Connection) -> tuple[int, ...]:
    """The segments that together are the index."""
    return tuple(row[0] for row in db.execute("SELECT id FROM segments ORDER BY id"))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


class PostingsWriter:
    """Collects what a transaction adds and removes, and writes it as a new segment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
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
        rows = ((term, len(data) // POSTING.itemsize - self._gone[term], data) for term, data in added)
        key = self._new(self._size)
        self._db.executemany(f"INSERT INTO postings VALUES ({key}, ?, ?, ?)", rows)  # noqa: S608
        self.drop()
        while (crowd := self._crowd()) is not None:
            self._merge(crowd)

    def _new(self, size: int) -> int:
        self._db.execute("INSERT INTO segments (size) VALUES (?)", (size,))
        return int(self._db.execute("SELECT last_insert_rowid()").fetchone()[0])

    def _crowd(self) -> list[int] | None:
        """The segments of the lowest tier that has enough of them to be merged."""
        tiers: defaultdict[int, list[int]] = defaultdict(list)
        for key, size in self._db.execute("SELECT id, size FROM segments"):
            tiers[_tier(size)].append(key)
        return next((tiers[tier] for tier in sorted(tiers) if len(tiers[tier]) >= _FAN), None)

    def _merge(self, keys: Sequence[int]) -> None:
        data = "data"
        if alive := self._alive():
            self._db.create_function("alive", 1, alive, deterministic=True)
            data = "alive(data)"
        new = self._new(0)
        among = ", ".join(map(str, keys))
        self._db.execute(_MERGE.format(data, among), (new,))
        held = self._db.execute("SELECT total(length(data)) FROM postings WHERE segment = ?", (new,)).fetchone()[0]
        self._db.execute("UPDATE segments SET size = ? WHERE id = ?", (int(held) // POSTING.itemsize, new))
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


def _tier(size: int) -> int:
    tier = 0
    while size >= _TIER * _FAN**tier:
        tier += 1
    return tier
