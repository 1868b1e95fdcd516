"""BM25 search: the chunks with the best scores for some terms."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.stores._tuned import NARROWED_FROM
from rag.stores.common.bm25 import K1, MOST_TERMS, B, bound, idf, rarity
from rag.stores.faiss.exact_index import best
from rag.stores.faiss.postings import Segments, frequencies, read

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_MOST_POSTINGS = 16_000_000  # in the cache, 5 bytes each
_ROUNDING = 1e-5  # float32 sums err by far less than this share


@dataclass(frozen=True, slots=True)
class Postings:
    """The chunks with a term: rows (positions among all chunks), ascending, and how often it occurs in each."""

    rows: npt.NDArray[np.int32]
    counts: npt.NDArray[np.uint8]


class Lexicon:
    """Finds chunks by their terms, in one generation of the index; safe in threads.

    Caches the postings of recent terms.
    """

    def __init__(self, ids: Ids, lengths: Floats, segments: Segments) -> None:
        self._ids = ids
        self._segments = segments
        average = max(float(lengths.mean()) if len(lengths) else 0.0, 1.0)
        self._norms = (K1 * (1 - B + B / average * lengths)).astype(np.float32)
        self._places = _places(ids)
        self._cache: OrderedDict[str, Postings] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def best(
        self, db: sqlite3.Connection, terms: Sequence[str], n: int, among: Ids | None = None
    ) -> list[tuple[int, float]]:
        """The `n` chunks (of `among`, ascending ids) with the best BM25 for `terms`, best first, as (id, score).

        A score is a share of `bound`; each term counts once. `db` is in a read transaction of this generation.
        """
        counted = self._counted(db, terms)
        weights = {term: idf(len(self._ids), count) for term, count in counted.items() if count}
        if n < 1 or not weights:
            return []
        allowed = None if among is None else np.isin(self._ids, among, assume_unique=True)
        scoring = _Scoring(self._norms, n, allowed)
        rarest_first = sorted(weights, key=counted.__getitem__)
        for i, term in enumerate(rarest_first):
            # Source: Turtle and Flood, Query evaluation: strategies and optimizations (1995), "max score".
            if scoring.narrow(counted[term], (K1 + 1) * sum(weights[each] for each in rarest_first[i:])):
                scoring.add_to_found(self._postings(db, term), weights[term])
            else:
                scoring.add(self._postings(db, term), weights[term])
        rows, scores = scoring.best()
        scores = scores / bound(len(self._ids), list(counted.values()))
        return list(zip(self._ids[rows].tolist(), scores.tolist(), strict=True))

    def rarities(self, db: sqlite3.Connection, terms: Sequence[str]) -> list[float]:
        """How rare each term is among the chunks, in (0, 1]."""
        counted = frequencies(db, self._segments, dict.fromkeys(terms))
        return [rarity(len(self._ids), counted[term]) for term in terms]

    def _counted(self, db: sqlite3.Connection, terms: Sequence[str]) -> dict[str, int]:
        """`terms` without repetition, and how many chunks contain each; of more than MOST_TERMS, the rarest."""
        counted = frequencies(db, self._segments, dict.fromkeys(terms))
        if len(counted) <= MOST_TERMS:
            return counted
        held = sorted((term for term, count in counted.items() if count), key=counted.__getitem__)
        return {term: counted[term] for term in held[:MOST_TERMS]}

    def _postings(self, db: sqlite3.Connection, term: str) -> Postings:
        with self._lock:
            if (known := self._cache.get(term)) is not None:
                self._cache.move_to_end(term)
                return known
        found = read(db, self._segments, term)
        rows = self._places[np.minimum(found["id"], len(self._places) - 1)]
        there = rows >= 0
        if not there.all():
            found, rows = found[there], rows[there]
        return self._keep(term, Postings(rows, found["count"].copy()))

    def _keep(self, term: str, postings: Postings) -> Postings:
        with self._lock:
            if term not in self._cache:
                self._cache[term] = postings
                self._held += len(postings.rows)
            while self._held > _MOST_POSTINGS and len(self._cache) > 1:
                self._held -= len(self._cache.popitem(last=False)[1].rows)
        return postings


def _places(ids: Ids) -> npt.NDArray[np.int32]:
    """The row of each id, -1 for one that is gone; the last entry is for ids beyond the last."""
    places = np.full(int(ids[-1]) + 2 if len(ids) else 1, -1, np.int32)
    places[ids] = np.arange(len(ids), dtype=np.int32)
    return places


class _Scoring:
    """The scores of one search while terms are added."""

    def __init__(self, norms: Floats, n: int, allowed: npt.NDArray[np.bool_] | None) -> None:
        self._norms = norms
        self._n = n
        self._allowed = allowed
        self._scores = np.zeros(len(norms), np.float32)
        self._found: list[npt.NDArray[np.int32]] = []
        self._narrowed = False

    def add(self, postings: Postings, weight: float) -> None:
        """Add a term to the scores of all chunks that contain it."""
        rows, counts = postings.rows, postings.counts
        if self._allowed is not None:
            kept = self._allowed[rows]
            rows, counts = rows[kept], counts[kept]
        self._found.append(rows[self._scores[rows] == 0])
        self._scores[rows] += self._gain(rows, counts, weight)

    def narrow(self, frequency: int, most: float) -> bool:
        """Whether no new chunk can be among the best, since the remaining terms add at most `most`.

        Found chunks without a chance are dropped. Not tried if reading the next term is faster.
        """
        found = sum(map(len, self._found))
        if not self._narrowed and (frequency < NARROWED_FROM or found < self._n):
            return False
        if found < self._n:
            return self._narrowed
        rows = np.concatenate(self._found)
        scores = self._scores[rows]
        needed = np.partition(scores, len(rows) - self._n)[len(rows) - self._n] - most * _ROUNDING
        if self._narrowed or needed > most:
            self._found = [rows[scores + most >= needed]]
            self._narrowed = True
        return self._narrowed

    def add_to_found(self, postings: Postings, weight: float) -> None:
        """Add a term to the scores of the chunks found so far."""
        rows = np.concatenate(self._found)
        places = np.minimum(np.searchsorted(postings.rows, rows), len(postings.rows) - 1)
        held = postings.rows[places] == rows
        rows = rows[held]
        self._scores[rows] += self._gain(rows, postings.counts[places[held]], weight)

    def best(self) -> tuple[npt.NDArray[np.int32], Floats]:
        """Rows and scores of the best, best first; of equal scores the first row."""
        rows = np.sort(np.concatenate(self._found))
        scores = self._scores[rows]
        chosen = best(scores, self._n)
        return rows[chosen], scores[chosen]

    def _gain(self, rows: npt.NDArray[np.int32], counts: npt.NDArray[np.uint8], weight: float) -> Floats:
        counted = counts.astype(np.float32)
        return np.float32(weight * (K1 + 1)) * counted / (counted + self._norms[rows])
