"""Vectors by embedder and text in one SQLite file, which many processes may share."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt

log = logging.getLogger(__name__)
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, embedder BLOB NOT NULL, text BLOB NOT NULL, vector BLOB NOT NULL,
    UNIQUE (embedder, text)
)
"""
_OLDEST = "SELECT id FROM vectors ORDER BY id LIMIT (SELECT CAST(1 + count(*) * ? AS INTEGER) FROM vectors)"
_LEFT = 0.9  # of the largest size, to which it is reduced: so not every new vector makes room
_AT_ONCE = 500  # keys of one query; old versions of SQLite take 999
_WAIT = 30.0  # seconds to wait for another process that writes


class VectorFile:
    """It may be lost without harm: an error is logged once, and from then on the cache is empty."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Nothing is opened yet. Above `max_bytes` the oldest vectors are dropped."""
        self.path, self._max_bytes = path, max_bytes
        self._lock, self._broken = Lock(), False

    def read(
        self, embedder: bytes, texts: Sequence[bytes], dim: int | None = None
    ) -> dict[bytes, npt.NDArray[np.float32]]:
        """The vectors that are kept for these keys, if they have `dim` numbers."""
        marks = [",".join("?" * len(part)) for part in _parts(texts)]

        def work(db: sqlite3.Connection) -> dict[bytes, bytes]:
            found: dict[bytes, bytes] = {}
            for part, some in zip(_parts(texts), marks, strict=True):
                query = f"SELECT text, vector FROM vectors WHERE embedder = ? AND text IN ({some})"  # noqa: S608
                found.update(db.execute(query, [embedder, *part]))
            return found

        nothing: dict[bytes, bytes] = {}
        rows = self._do(work, nothing)
        vectors = {key: np.frombuffer(blob, "<f4").astype(np.float32) for key, blob in rows.items()}
        return {key: vector for key, vector in vectors.items() if dim is None or len(vector) == dim}

    def keep(self, embedder: bytes, vectors: Mapping[bytes, npt.NDArray[np.float32]]) -> None:
        """Remember these vectors by their texts' keys; they survive a crash of the process."""
        rows = [(embedder, text, vector.astype("<f4").tobytes()) for text, vector in vectors.items()]

        def work(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO vectors (embedder, text, vector) VALUES (?, ?, ?)", rows)
            if (size := _size(db)) > self._max_bytes:
                share = 1 - _LEFT * self._max_bytes / size
                db.execute(f"DELETE FROM vectors WHERE id IN ({_OLDEST})", [share])  # noqa: S608

        self._do(work, None)

    def _do(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if self._broken:
            return otherwise
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, closing(sqlite3.connect(self.path, timeout=_WAIT)) as db, db:
                db.execute(_SCHEMA)
                return work(db)
        except (sqlite3.Error, OSError) as exc:
            self._broken = True
            log.warning(
                "the vector cache %s cannot be used (%s): delete it, or set RAG_VECTOR_CACHE", self.path, exc
            )
            return otherwise


def _parts(texts: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE))


def _size(db: sqlite3.Connection) -> int:
    """The bytes of the pages in use; SQLite uses freed pages again."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {what}").fetchone()[0]) for what in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
