"""Communities of a graph: Louvain's method, whose number of communities is found, not given. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.space.neighbours import Neighbours

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["build_graph", "find_communities"]

Labels = npt.NDArray[np.int64]

_SWEEPS = 20  # at most, of one level; after a few nothing moves


def build_graph(found: Neighbours) -> csr_matrix:
    """The symmetric graph of near neighbours, each link as strong as it is near beside the point's other ones.

    Source: UMAP's fuzzy union (McInnes, Healy, Melville 2018), with the mean distance as the scale.
    """
    from scipy.sparse import csr_matrix

    n = len(found.rows)
    distances = 1 - found.cosines
    beyond = distances - distances[:, :1]
    scale = np.maximum(beyond.mean(axis=1, keepdims=True), 1e-6)
    weights = np.exp(-beyond / scale)
    valid = found.rows >= 0
    starts = np.concatenate([[0], np.cumsum(valid.sum(axis=1))])
    directed = csr_matrix((weights[valid], found.rows[valid], starts), shape=(n, n))
    both = directed.multiply(directed.T)
    return (directed + directed.T - both).tocsr()


def find_communities(graph: csr_matrix, resolution: float = 1.0, seed: int = 0) -> Labels:
    """A community's number for each node, the largest community first.

    A higher `resolution` gives more of them. Source: Blondel, Guillaume, Lambiotte, Lefebvre 2008.
    """
    labels = np.arange(graph.shape[0])
    draw = np.random.default_rng(seed)
    while True:
        found, moved = _move(graph, resolution, draw)
        labels = found[labels]
        if not moved or found.max() + 1 == graph.shape[0]:
            break
        graph = merge(graph, found)
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[labels]


def merge(graph: csr_matrix, labels: Labels) -> csr_matrix:
    """The graph of the communities: links inside become a link of a node to itself."""
    from scipy.sparse import csr_matrix

    n = graph.shape[0]
    member = csr_matrix((np.ones(n), (np.arange(n), labels)), shape=(n, labels.max() + 1))
    return (member.T @ graph @ member).tocsr()


def _move(graph: csr_matrix, resolution: float, draw: np.random.Generator) -> tuple[Labels, bool]:
    """Every node to the neighbouring community that gains most, until none gains; and whether any moved."""
    starts, others, weights = graph.indptr.tolist(), graph.indices.tolist(), graph.data.tolist()
    degrees = np.asarray(graph.sum(axis=1)).ravel().tolist()
    label = list(range(len(degrees)))
    total = list(degrees)
    factor = resolution / max(sum(degrees), 1e-12)
    moved = False
    for _ in range(_SWEEPS):
        moves = 0
        for node in draw.permutation(len(degrees)).tolist():
            own, degree = label[node], degrees[node]
            links = {own: 0.0}
            for at in range(starts[node], starts[node + 1]):
                if (other := others[at]) != node:
                    links[label[other]] = links.get(label[other], 0.0) + weights[at]
            total[own] -= degree
            scale = factor * degree
            best, most = own, links[own] - scale * total[own]
            for community, weight in links.items():
                if (gain := weight - scale * total[community]) > most + 1e-12:
                    best, most = community, gain
            total[best] += degree
            if best != own:
                label[node] = best
                moves += 1
        moved = moved or moves > 0
        if moves <= len(degrees) // 1000:
            break
    _, compact = np.unique(label, return_inverse=True)
    return compact.astype(np.int64), moved
