"""The vector side of the embedded store for many chunks: a scan of one bit a dimension, the best compared exactly.

Nothing is trained and no graph is kept. So adding and removing cost in proportion to what is added or removed,
and searches do not get worse with the number of changes. Only the codes are in memory: 112 bytes for 896
dimensions.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from rag.stores._tuned import CODES_A_THREAD, NEAR, NEARER
from rag.stores.faiss.binary_codes import Codes, encode, estimate, width
from rag.stores.faiss.exact_index import Ids, Load, best
from rag.stores.faiss.sums import require
from rag.types import Vector, Vectors

KIND = "codes of 1 bit a dimension, best of them by float16"
BLOCK = 1024  # codes in one row of SQLite, at most

Fetch = Callable[[Ids], tuple[Ids, Vectors]]
"""Returns the stored vectors of these chunks, as far as they are there."""


class CodedIndex:
    """Codes of all chunks in order of id. Any thread may search or `sync`: arrays are replaced, never changed."""

    def __init__(self, dim: int) -> None:
        self._held: tuple[int, Ids, Codes] = -1, np.empty(0, np.int64), np.empty((0, width(dim)), np.uint8)
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1)

    def sync(self, generation: int, ids: Ids, load: Load) -> None:
        """Load the codes of exactly these chunks (ascending), unless a newer generation is loaded already."""
        with self._lock:
            held, had, codes = self._held
            if generation <= held:
                return
            kept = np.isin(had, ids, assume_unique=True)
            fresh = list(load(int(had[-1]) if len(had) else 0))
            parts = [np.frombuffer(data, np.uint8).reshape(-1, codes.shape[1]) for _, data in fresh]
            old = codes if kept.all() else codes[kept]
            now = np.concatenate([had[kept], *(new for new, _ in fresh)])
            require(np.array_equal(now, ids), "which chunks have codes")
            self._held = (
                generation,
                now,
                np.concatenate([old, *parts]) if parts else old,
            )

    def search(self, query: Vector, n: int, fetch: Fetch, among: Ids | None = None) -> list[tuple[int, float]]:
        """Nearly all of the `n` nearest chunks, as (id, cosine), best first; `among` (ascending) are allowed."""
        _, ids, codes = self._held
        if among is not None:
            rows = np.flatnonzero(np.isin(ids, among, assume_unique=True))
            ids, codes = ids[rows], codes[rows]
        if n < 1 or not len(ids):
            return []
        near = self._near(encode(query[None]), codes, max(NEAR[0], NEAR[1] * n))
        nearer = near[best(estimate(query, codes[near]), max(NEARER[0], int(NEARER[1] * n)))]
        wanted = np.sort(ids[nearer])
        found, vectors = fetch(wanted)
        require(np.array_equal(found, wanted), "which chunks have vectors")
        scores = vectors @ query
        rows = best(scores, n)
        return list(zip(found[rows].tolist(), np.clip(scores[rows], -1, 1).tolist(), strict=True))

    def _near(self, code: Codes, codes: Codes, n: int) -> npt.NDArray[np.int64]:
        """Rows of the `n` codes nearest to `code`, ascending."""
        if n >= len(codes):
            return np.arange(len(codes))
        parts = max(1, min(len(codes) // CODES_A_THREAD, os.cpu_count() or 1))
        edges = np.linspace(0, len(codes), parts + 1).astype(np.int64).tolist()
        pieces = [(start, codes[start:end]) for start, end in pairwise(edges)]
        if parts == 1:
            return np.sort(_scan(code, codes, n)[1])
        found = list(self._threads.map(lambda piece: _scan(code, piece[1], n), pieces))
        rows = np.concatenate([each[1] + start for (start, _), each in zip(pieces, found, strict=True)])
        order = np.argpartition(np.concatenate([each[0] for each in found]), n - 1)[:n]
        return np.sort(rows[order])


def _scan(code: Codes, codes: Codes, n: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Distances and rows of the `n` codes nearest to `code`."""
    import faiss  # heavy, and needed only for dense search

    faiss.omp_set_num_threads(1)  # for this thread: one search runs on one thread
    distances, rows = faiss.knn_hamming(code, codes, min(n, len(codes)))
    return distances[0], rows[0]
