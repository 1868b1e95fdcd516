"""A plane where what is near in meaning lies near: t-SNE, the same each time; and places for what comes later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.errors import MissingExtra, SpaceError
from rag.space._tuned import LARGE, PERPLEXITY
from rag.space.neighbours import Neighbours, find_neighbours
from rag.types import Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Plane", "lay_out", "neighbours_wanted", "place", "trustworthiness"]

Plane = npt.NDArray[np.float32]
"""``(n, 2) float32``."""

_FEW = 8  # points that are too few for t-SNE's neighbourhoods: their two main directions are the plane
_OLD = 8  # neighbours that say where a new point goes
_TOGETHER = 3  # of them, that lie together


def neighbours_wanted(n: int) -> int:
    """How many neighbours of each of `n` points `lay_out` reads."""
    return min(n - 1, int(3 * _perplexity(n)) + 1)


def lay_out(vectors: Vectors, neighbours: Neighbours | None = None, seed: int = 0) -> Plane:
    """A place for each of three vectors or more; the same vectors and `seed` give the same places.

    `neighbours` saves the search where they are known. Raises SpaceError for fewer than three, MissingExtra for
    more than `LARGE` without openTSNE. Source: van der Maaten and Hinton 2008; the start from the two main
    directions: Kobak and Berens 2019.
    """
    n = len(vectors)
    if n < 3:
        raise SpaceError(f"{n} points make no map: three or more are needed")
    start = _main_directions(vectors)
    if n <= _FEW:
        return start
    k = neighbours_wanted(n)
    if neighbours is None or neighbours.rows.shape[1] < k:
        neighbours = find_neighbours(vectors, k)
    start *= 1e-4 / max(float(start[:, 0].std()), 1e-12)
    return (_large if n > LARGE else _small)(neighbours, start, seed)


def _perplexity(n: int) -> float:
    return min(PERPLEXITY, (n - 1) / 3)


def _main_directions(vectors: Vectors) -> Plane:
    """The two directions of the greatest variance, each with a fixed sign."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    axes = axes[:, -2:][:, ::-1]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    plane: Plane = (centred @ axes).astype(np.float32)
    return plane


def _distances(neighbours: Neighbours) -> npt.NDArray[np.float64]:
    return np.sqrt(np.maximum(2 - 2 * neighbours.cosines.astype(np.float64), 0))


def _small(neighbours: Neighbours, start: Plane, seed: int) -> Plane:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # Threads would add the forces in another order each time, and a map would not be the same twice.
    with threadpool_limits(1):
        model = TSNE(
            perplexity=_perplexity(len(start)), metric="precomputed", init=start, random_state=seed, n_jobs=1
        )
        return np.asarray(model.fit_transform(_graph(neighbours)), np.float32)


def _graph(neighbours: Neighbours) -> csr_matrix:
    """Distances to the neighbours, as scikit-learn takes them: each point itself first."""
    from scipy.sparse import csr_matrix

    n, k = neighbours.rows.shape
    rows = np.hstack([np.arange(n)[:, None], neighbours.rows])
    distances = np.hstack([np.zeros((n, 1)), _distances(neighbours)])
    return csr_matrix((distances.ravel(), rows.ravel(), np.arange(0, n * (k + 1) + 1, k + 1)), (n, n))


def _large(neighbours: Neighbours, start: Plane, seed: int) -> Plane:
    try:
        from openTSNE import TSNEEmbedding
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.nearest_neighbors import PrecomputedNeighbors
    except ImportError as exc:
        raise MissingExtra(f"a map of more than {LARGE:,} points", "openTSNE", "map") from exc
    rows = np.where(neighbours.rows < 0, neighbours.rows[:, :1], neighbours.rows)
    known = PrecomputedNeighbors(rows, _distances(neighbours))
    near = PerplexityBasedNN(knn_index=known, perplexity=PERPLEXITY, n_jobs=1, random_state=seed)
    plane = TSNEEmbedding(
        start.astype(np.float64), near, negative_gradient_method="fft", n_jobs=1, random_state=seed
    )
    plane.optimize(250, exaggeration=12, momentum=0.5, inplace=True)
    plane.optimize(500, momentum=0.8, inplace=True)
    return np.asarray(plane, np.float32)


def place(vectors: Vectors, among: Vectors, plane: Plane) -> Plane:
    """Where `vectors` go between points that stay: with those of their nearest `among` that lie together."""
    import faiss

    if not len(vectors):
        return np.empty((0, 2), np.float32)
    _, rows = faiss.knn(vectors, among, min(_OLD, len(among)), metric=faiss.METRIC_INNER_PRODUCT)
    near = plane[rows]
    apart = np.linalg.norm(near[:, :, None] - near[:, None], axis=3)
    middle = np.argmin(apart.sum(axis=2), axis=1)
    nearest = np.argsort(np.take_along_axis(apart, middle[:, None, None], 1)[:, 0], axis=1, kind="stable")
    together = np.take_along_axis(near, nearest[:, :_TOGETHER, None], 1)
    placed: Plane = together.mean(axis=1, dtype=np.float32)
    return placed


def trustworthiness(vectors: Vectors, plane: Plane, k: int = 15, sample: int = 1000) -> float:
    """How far neighbours on the plane are neighbours in meaning: 1 where all are, about .5 by chance.

    Of some points, `sample` at most, evenly taken. Source: Venna and Kaski 2001, as in scikit-learn.
    """
    import faiss

    n = len(vectors)
    k = min(k, (n - 1) // 2)
    rows = np.unique(np.linspace(0, n - 1, min(n, sample)).astype(np.int64))
    _, near = faiss.knn(plane[rows], plane, k + 1)
    cost = 0.0
    for row, others in zip(rows.tolist(), near, strict=True):
        cosines = vectors @ vectors[row]
        cosines[row] = np.inf
        for other in others[others != row][:k]:
            cost += max(0, int((cosines > cosines[other]).sum()) - k)
    return 1 - cost * 2 / (len(rows) * k * (2 * n - 3 * k - 1))
