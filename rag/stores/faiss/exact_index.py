"""The vector side of the embedded store: the exact search, over vectors in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from rag.stores.faiss.sums import require
from rag.types import Vector, Vectors

Ids = npt.NDArray[np.int64]

Load = Callable[[int], Iterable[tuple[Ids, bytes]]]
"""Returns the vectors stored after a chunk id: ids, ascending, and their rows."""

KIND = "exact, float16"


def pack(vectors: Vectors) -> bytes:
    """Vectors as they are stored: float16, which changes a cosine of unit vectors by less than 0.0005.

    The rounding error of float16 with its 11 bits is at most 2^-11 of each product, and the absolute products
    sum to at most 1.
    """
    return vectors.astype("<f2").tobytes()


def unpack(data: bytes, dim: int) -> Vectors:
    """The vectors that `pack` stored."""
    return np.frombuffer(data, "<f2").astype(np.float32).reshape(-1, dim)


def best(scores: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.intp]:
    """Rows of the `n` highest scores, best first; of equal scores the first row."""
    if n < len(scores):
        threshold = np.partition(scores, len(scores) - n)[len(scores) - n]
        rows = np.flatnonzero(scores >= threshold)
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:n]


class ExactIndex:
    """Exact search over float16 vectors. Rows lie in order of chunk id; any thread may search or `sync`.

    FAISS keeps these vectors in the same form as SQLite, so loading is only copying: a second file for them
    would not be faster.
    """

    def __init__(self, dim: int) -> None:
        import faiss  # heavy, and needed only for dense search

        self._dim = dim
        self._faiss = faiss
        self._index = faiss.IndexScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        self._ids: Ids = np.empty(0, np.int64)
        self._generation = -1
        self._gate = _Gate()

    def sync(self, generation: int, ids: Ids, load: Load) -> None:
        """Load the vectors of exactly these chunks (ascending), unless a newer generation is loaded already.

        Since ids are never reused, new ones are greater than the last one loaded.
        """
        if generation <= self._generation:
            return
        with self._gate.alone():
            if generation <= self._generation:
                return
            last = int(self._ids[-1]) if len(self._ids) else 0
            try:
                self._keep(np.isin(self._ids, ids, assume_unique=True))
                self._append(load(last))
                require(np.array_equal(self._ids, ids), "which chunks have vectors")
            except BaseException:
                self._index.reset()
                self._ids, self._generation = np.empty(0, np.int64), -1
                raise
            self._generation = generation

    def _keep(self, mask: npt.NDArray[np.bool_]) -> None:
        if not mask.all():
            gone = _bits(~mask)
            self._index.remove_ids(self._faiss.IDSelectorBitmap(len(mask), self._faiss.swig_ptr(gone)))
            self._ids = self._ids[mask]

    def _append(self, blocks: Iterable[tuple[Ids, bytes]]) -> None:
        fresh = []
        for ids, data in blocks:
            self._index.add_sa_codes(np.frombuffer(data, np.uint8).reshape(-1, 2 * self._dim))
            fresh.append(ids)
        self._ids = np.concatenate([self._ids, *fresh])

    def search(self, query: Vector, n: int, among: Ids | None = None) -> list[tuple[int, float]]:
        """The `n` nearest chunks as (id, cosine), best first; `among` (ascending) are the ones allowed."""
        with self._gate.shared():
            # One query runs on one thread; waking others costs more than it gains.
            self._faiss.omp_set_num_threads(1)
            n = min(n, self._index.ntotal)
            if n < 1:
                return []
            scores, rows = self._search(query, n, among)
            ids = self._ids[rows[rows >= 0]]
        scores = scores[: len(ids)]
        order = np.lexsort((ids, -scores))
        return list(zip(ids[order].tolist(), np.clip(scores[order], -1, 1).tolist(), strict=True))

    def _search(self, query: Vector, n: int, among: Ids | None) -> tuple[npt.NDArray[np.float32], Ids]:
        questions = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        if among is None:
            scores, rows = self._index.search(questions, n)
        else:
            mask = np.isin(self._ids, among, assume_unique=True)
            bits = _bits(mask)
            selector = self._faiss.IDSelectorBitmap(len(mask), self._faiss.swig_ptr(bits))
            params = self._faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            scores, rows = self._index.search(questions, n, params=params)
        return scores[0], rows[0]


def _bits(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.packbits(mask, bitorder="little")


class _Gate:
    """A lock for any number of readers, or one writer."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._condition:
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:  # held to the end, so that no reader comes in
            self._condition.wait_for(lambda: self._inside == 0)
            yield
