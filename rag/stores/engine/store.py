"""An index on an engine without transactions: what Qdrant, Redis and Milvus have in common.

Lexical scores are exact. The engine gives candidates by its own weights (computed with the mean length at the
first commit), and BM25 is computed here from the counts of their terms, with the frequencies that the index
keeps (`rag.stores.engine.frequencies`). More candidates are requested until none of the others could score
higher, given the largest factor by which another mean length, or Redis's own formula, can change a score. For
very common terms the search ends at 4,096 candidates.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np

from rag.errors import IndexMissing, StoreError
from rag.stores import Writer
from rag.stores._tuned import EXACT_IN_ENGINE, MORE, SPARE
from rag.stores.common import bm25
from rag.stores.common.checks import check_query
from rag.stores.engine.frequencies import Segment, term_hash
from rag.stores.engine.protocol import Engine, EngineFilter, ScoredNumbers
from rag.stores.engine.ranges import Ranges, cover, holds, merged
from rag.stores.engine.records import read_segment, visible_documents
from rag.stores.engine.state import FORMAT, State, from_text
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

_MOST_RANGES = 500  # in one search; more are merged, and what should not be found is filtered out afterwards
_MOST_CANDIDATES = 4096
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds before an exact search that found too little is repeated


class EngineStore:
    """`rag.stores.Store` on an engine; safe in threads."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._url = url
        self._lock = threading.Lock()
        self._documents: tuple[str, int, dict[str, tuple[int, Document]]] = ("", -1, {})
        self._segments: dict[tuple[str, int], Segment] = {}
        self._name = ""

    @property
    def url(self) -> str:
        return self._url

    def manifest(self) -> Manifest | None:
        """What the index was made with; None while nothing has been written."""
        text = self._engine.state()
        return from_text(text, self._url).manifest if text else None

    def documents(self) -> Mapping[str, Document]:
        """Every file in the index, by source."""
        text = self._engine.state()
        found = self._documents_of(from_text(text, self._url)) if text else {}
        return {source: found[source][1] for source in sorted(found)}

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks nearest to `query` by cosine, best first. Raises IndexMissing, StoreError."""
        state = self._state()
        check_query(query, state.manifest, self._url)
        exact = state.chunks <= EXACT_IN_ENGINE
        least = self._least(n, state, where) if exact else 0
        for wait in (*_WAITS, 0.0):
            found = self._search(
                lambda m, among: self._engine.nearest(query, m, among, exact), min(n, state.chunks), state, where
            )
            if len(found) >= least:
                break
            time.sleep(wait)
        return _best([(number, max(-1.0, min(1.0, score))) for number, score in found], n)

    def _least(self, n: int, state: State, where: Where | None) -> int:
        """How many chunks an exact search must find, if that is known.

        Qdrant can miss some chunks for a moment while it reorganises its segments.
        """
        if where is None or where == Where():
            return min(n, state.chunks)
        if where.type is None and where.pages is None:
            return min(n, sum(last - first + 1 for first, last in self._allowed(state, where)))
        return 0

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks with the best BM25 score for `terms`, best first. Raises IndexMissing."""
        state = self._state()
        keys = bm25.distinct(terms)
        if n < 1 or not keys or not state.chunks:
            return []
        weights = bm25.weights(keys, self._frequencies(state, keys), state.chunks)
        if not weights:
            return []
        asked: dict[int, float] = {}
        for key, weight in weights.items():  # two terms with one hash are one term for the engine
            asked[term_hash(key)] = max(weight, asked.get(term_hash(key), 0.0))
        return self._best_of(asked, n, where, state)

    def rarities(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is among the chunks, in (0, 1]. Raises IndexMissing."""
        state = self._state()
        return bm25.rarities(terms, self._frequencies(state, bm25.distinct(terms)), state.chunks)

    def _best_of(self, asked: Mapping[int, float], n: int, where: Where | None, state: State) -> list[Scored]:
        """The `n` best by exact BM25: candidates are requested until no other chunk can be among them.

        If the mean length grows by a factor, a term's part in BM25 grows by that factor at most.
        """
        most = max(state.average / max(state.pivot, 1.0), 1.0) * self._engine.slack
        wanted = n + SPARE if self._engine.slack == 1 else 4 * n + MORE
        exact: dict[int, float] = {}
        while True:
            found = self._search(lambda m, among: self._engine.matching(asked, m, among), wanted, state, where)
            fresh = [number for number, _ in found if number not in exact]
            exact.update(self._scored(fresh, asked, state.average))
            best = _best([(number, score) for number, score in exact.items() if score > 0], n)
            settled = len(best) == n and best[-1].score >= 0.9999 * most * found[-1][1]
            if settled or len(found) < wanted or wanted >= _MOST_CANDIDATES:
                return best
            wanted = min(4 * wanted, _MOST_CANDIDATES)

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in that order.

        Raises IndexMissing, and StoreError if a chunk is gone (replaced since the search that found it).
        """
        visible = self._state().visible
        found = self._engine.chunks([each for each in ids if holds(visible, each)]) if ids else {}
        if gone := [each for each in ids if each not in found]:
            raise StoreError(
                f"the index {self._url} changed while it was searched (chunk {gone[0]} is gone): ask again"
            )
        return [found[each] for each in ids]

    def rows(self, source: str) -> tuple[Document, list[Chunk], Vectors]:
        """A document with its chunks, in order, and their vectors. Raises IndexMissing, StoreError."""
        state = self._state()
        found = self._documents_of(state).get(source)
        if found is None:
            raise StoreError(
                f"{source} is not in the index {self._url}: look at the names that `rag status` shows"
            )
        numbers = range(found[0] + 1, found[0] + 1 + found[1].chunks)
        held = self._engine.vectors(numbers) if numbers else {}
        if len(held) != len(numbers):
            raise StoreError(f"the index {self._url} changed while it was read ({source}): run the command again")
        vectors = np.array([held[number] for number in numbers], np.float32)
        return found[1], self.chunks(numbers), vectors.reshape(len(numbers), state.manifest.dim)

    def write(self, manifest: Manifest) -> AbstractContextManager[Writer]:
        """The only writer of the index. Raises IndexLocked, EmbedderMismatch, IndexVersion, StoreError."""
        from rag.stores.engine.writer import writing

        return writing(self._engine, manifest, self._url)

    def statistics(self) -> dict[str, int | str]:
        """What `rag status` shows. Raises IndexMissing."""
        state = self._state()
        return {
            "documents": len(self._documents_of(state)),
            "chunks": state.chunks,
            "vectors": self._engine.kind if state.chunks > EXACT_IN_ENGINE else "exact, float32",
            "generation": state.generation,
            "format": FORMAT,
        }

    def close(self) -> None:
        """Close the connection and free the memory."""
        self._engine.close()
        with self._lock:
            self._forget()

    def _state(self) -> State:
        text = self._engine.state()
        if text is None:
            raise IndexMissing(self._url)
        state = from_text(text, self._url)
        with self._lock:
            if state.name != self._name:
                self._forget()
                self._name = state.name
        return state

    def _forget(self) -> None:
        self._documents = ("", -1, {})
        self._segments.clear()

    def _documents_of(self, state: State) -> dict[str, tuple[int, Document]]:
        """Number and document of each source in this generation."""
        with self._lock:
            name, generation, held = self._documents
        if (name, generation) == (state.name, state.generation):
            return held
        held = visible_documents(self._engine, state)
        with self._lock:
            self._documents = (state.name, state.generation, held)
        return held

    def _search(
        self, search: Callable[[int, EngineFilter], ScoredNumbers], n: int, state: State, where: Where | None
    ) -> ScoredNumbers:
        """Repeat `search` until it gives `n` chunks that are visible and match `where`, or all there are."""
        allowed = self._allowed(state, where)
        if n < 1 or not allowed:
            return []
        among = EngineFilter(type=where.type if where else None, pages=where.pages if where else None)
        if allowed != state.visible:
            among = replace(among, ranges=cover(allowed, _MOST_RANGES))
        m = n
        while True:
            found = search(m, among)
            kept = [each for each in found if holds(allowed, each[0])]
            if len(kept) >= n or (len(found) < m and len(found) == len(kept)):
                return kept[:n]
            if among.ranges is None:  # a writer is active: repeat with only the visible chunks
                among = replace(among, ranges=cover(allowed, _MOST_RANGES))
            elif len(found) < m:
                return kept[:n]
            else:
                m *= 4

    def _allowed(self, state: State, where: Where | None) -> Ranges:
        """The numbers of the visible chunks whose source matches `where`."""
        if where is None or (where.source is None and not where.exclude):
            return state.visible
        found = self._documents_of(state)
        return merged(
            (number + 1, number + document.chunks)
            for source, (number, document) in found.items()
            if document.chunks and where.lets_through(source, document.type)
        )

    def _frequencies(self, state: State, keys: Sequence[str]) -> dict[str, int]:
        """How many chunks contain each of `keys`."""
        hashes = np.array([term_hash(key) for key in keys], np.uint32)
        total = np.zeros(len(keys), np.int64)
        for first, last, _ in state.segments:
            total += self._segment(state.name, first, last).of(hashes)
        return dict(zip(keys, total.tolist(), strict=True))

    def _segment(self, name: str, first: int, last: int) -> Segment:
        with self._lock:
            if (known := self._segments.get((name, first))) is not None:
                return known
        found = read_segment(self._engine, first, last, self._url)
        with self._lock:
            self._segments[name, first] = found
        return found

    def _scored(self, numbers: Sequence[int], weights: Mapping[int, float], average: float) -> ScoredNumbers:
        """The exact BM25 of these chunks, for the weights of terms by hash."""
        held = self._engine.counts(numbers)
        if not held:
            return []
        rows = np.repeat(np.arange(len(held)), [len(hashes) for hashes, _ in held.values()])
        hashes = np.concatenate([each for each, _ in held.values()])
        counts = np.concatenate([each for _, each in held.values()])
        keys = np.array(sorted(weights), np.uint32)
        at = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
        asked = keys[at] == hashes
        a, b = bm25.saturation(average)
        lengths = np.bincount(rows, counts, len(held))
        shares = counts / (counts + a + b * lengths[rows])
        worth = np.array([weights[key] for key in keys.tolist()])[at]
        scores = np.bincount(rows[asked], (worth * shares)[asked], len(held))
        return list(zip(held, scores.tolist(), strict=True))


def _best(found: ScoredNumbers, n: int) -> list[Scored]:
    """The best `n`; of equal scores the lower number first."""
    return [Scored(*each) for each in sorted(found, key=lambda each: (-each[1], each[0]))[:n]]
