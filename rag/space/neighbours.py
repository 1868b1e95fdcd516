"""The nearest neighbours of every vector among the others: exact for some thousands, by cells for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.space._tuned import CELLS, EXACT, PROBES
from rag.types import Vectors

__all__ = ["Neighbours", "find_neighbours"]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """``(n, k)`` rows and cosines, nearest first; a row of -1 stands where there are fewer than k others."""

    rows: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float32]


def find_neighbours(vectors: Vectors, k: int) -> Neighbours:
    """The `k` nearest other rows of each row of `vectors`, by cosine.

    Up to `EXACT` rows all pairs are compared; beyond, each row with those of the nearest cells, so that the work
    grows by n to the power of 1.5.
    """
    import faiss

    k = min(k, len(vectors) - 1)
    if len(vectors) <= EXACT:
        cosines, rows = faiss.knn(vectors, vectors, k + 1, metric=faiss.METRIC_INNER_PRODUCT)
    else:
        cells = int(CELLS * len(vectors) ** 0.5)
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(vectors.shape[1]), vectors.shape[1], cells, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.max_points_per_centroid = 5, 64
        index.train(vectors)
        index.add(vectors)
        index.nprobe = PROBES
        cosines, rows = index.search(vectors, k + 1)
    return _without_itself(rows, cosines)


def _without_itself(rows: npt.NDArray[np.int64], cosines: npt.NDArray[np.float32]) -> Neighbours:
    """Each row's neighbours but itself; of many equal vectors it may not be among them, then the last goes."""
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return Neighbours(rows[~own].reshape(shape), np.clip(cosines[~own].reshape(shape), -1, 1))
