"""BM25 over the postings that FTS5 keeps. Pure functions, but for the cache of postings."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Source: Robertson et al., Okapi at TREC-3 (1994). The idf is Lucene's, log(1 + …), which is above zero
# for every term; FTS5's own bm25() gives a term of more than half the chunks no weight at all, so that
# an index of two or three files could not be searched. That function also takes some 2 µs a posting.
K1, B = 1.2, 0.75
MOST_TERMS = 64  # of a question: the rarest
_MOST_POSTINGS = 8_000_000  # in the cache, 8 bytes each


def idf(total: int, frequency: int) -> float:
    """The weight of a term that `frequency` of `total` chunks hold."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def weights(counts: npt.NDArray[np.int64], lengths: Floats, average: float, total: int) -> Floats:
    """BM25 of one term for the chunks that hold it, from its `counts` there and their `lengths` in terms."""
    tf = counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths / average))
    return (idf(total, len(counts)) * tf).astype(np.float32)


def bound(total: int, frequencies: Sequence[int]) -> float:
    """What BM25 cannot exceed for terms that so many of `total` chunks hold: it makes scores comparable."""
    return (K1 + 1) * sum(idf(total, frequency) for frequency in frequencies)


@dataclass(frozen=True, slots=True)
class Postings:
    """Where a term stands: rows (positions among the index's chunks) and the BM25 it gives to each."""

    rows: npt.NDArray[np.int32]
    weights: Floats


class Lexicon:
    """The postings of the terms asked for lately, for one generation of the index; safe in threads."""

    def __init__(self, ids: Ids, lengths: Floats) -> None:
        self._ids = ids
        self._lengths = lengths
        self._average = max(float(lengths.mean()) if len(lengths) else 0.0, 1.0)
        self._cache: OrderedDict[str, Postings] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def scores(self, db: sqlite3.Connection, terms: Sequence[str]) -> Floats:
        """``(chunks,)`` BM25 of every chunk for `terms`, each counted once, as a share of `bound`.

        `db` is in a read transaction of this generation.
        """
        found = [self._postings(db, term) for term in _rarest(db, terms)]
        if not found:
            return np.zeros(len(self._ids), np.float32)
        rows = np.concatenate([postings.rows for postings in found])
        each = np.concatenate([postings.weights for postings in found])
        best = bound(len(self._ids), [len(postings.rows) for postings in found])
        return (np.bincount(rows, each, minlength=len(self._ids)) / best).astype(np.float32)

    def _postings(self, db: sqlite3.Connection, term: str) -> Postings:
        with self._lock:
            if (known := self._cache.get(term)) is not None:
                self._cache.move_to_end(term)
                return known
        return self._keep(term, self._read(db, term))

    def _read(self, db: sqlite3.Connection, term: str) -> Postings:
        """The term's postings from FTS5, as one string: a row of SQLite for each would cost far more."""
        text = db.execute("SELECT group_concat(doc) FROM instances WHERE term = ?", (term,)).fetchone()[0]
        places = np.fromstring(text or "", dtype=np.int64, sep=",")
        starts = np.flatnonzero(np.diff(places, prepend=-1))  # they come in order of chunk
        counts = np.diff(starts, append=len(places))
        rows = np.searchsorted(self._ids, places[starts])
        return Postings(rows.astype(np.int32), weights(counts, self._lengths[rows], self._average, len(self._ids)))

    def _keep(self, term: str, postings: Postings) -> Postings:
        with self._lock:
            if term not in self._cache:
                self._cache[term] = postings
                self._held += len(postings.rows)
            while self._held > _MOST_POSTINGS and len(self._cache) > 1:
                self._held -= len(self._cache.popitem(last=False)[1].rows)
        return postings


def _rarest(db: sqlite3.Connection, terms: Sequence[str]) -> list[str]:
    """`terms` without repetition; of more than MOST_TERMS, those that the fewest chunks hold."""
    distinct = list(dict.fromkeys(terms))
    if len(distinct) <= MOST_TERMS:
        return distinct
    frequency = {
        term: row[0]
        for term in distinct
        if (row := db.execute("SELECT doc FROM vocabulary WHERE term = ?", (term,)).fetchone())
    }
    return sorted(frequency, key=frequency.__getitem__)[:MOST_TERMS]
