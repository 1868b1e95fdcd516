"""Topics: communities of near passages, named from their words, with the passages that are typical."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.errors import SpaceError
from rag.space._tuned import DEEPER, LEAST_TOPIC, NEIGHBOURS, WEAK
from rag.space.communities import build_graph, find_communities
from rag.space.names import name_groups
from rag.space.neighbours import Neighbours, find_neighbours
from rag.space.points import Points, unit
from rag.text import embedding_text
from rag.types import Chunk

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["Topic", "Topics", "find_topics"]

Rows = npt.NDArray[np.int64]

_READ = 100  # passages of a topic that its name is made from
_TYPICAL = 3
_ROW, _COLUMN = re.compile(r"row \d+"), re.compile(r"^[^\n:：]{1,40}[:：] ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Topic:
    """`rows` of the points, nearest to the middle first; `typical` of them from different documents where it can.

    `parts` are the topics inside a large one.
    """

    name: tuple[str, ...]
    rows: Rows
    typical: tuple[Chunk, ...]
    parts: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics, the largest first; `labels` gives each point's, -1 for those that belong to none."""

    topics: tuple[Topic, ...]
    labels: Rows

    @property
    def without(self) -> float:
        """The share of the points without a topic."""
        return float((self.labels < 0).mean())


def find_topics(
    points: Points, resolution: float = 1.0, seed: int = 0, neighbours: Neighbours | None = None
) -> Topics:
    """The topics of `points`; their number is found. A higher `resolution` gives more and smaller ones.

    `neighbours` saves the search where they are known. Raises SpaceError for fewer than three points.
    """
    if len(points) < 3:
        raise SpaceError(f"{len(points)} passages have no topics: three or more are needed")
    if resolution <= 0:
        raise SpaceError(f"the resolution must be above 0, not {resolution}")
    graph = build_graph(neighbours or find_neighbours(points.vectors, NEIGHBOURS))
    labels = _cleared(graph, find_communities(graph, resolution, seed))
    groups = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    parts = [_parts(graph, rows, resolution, seed) for rows in groups]
    return Topics(_described(points, groups, parts), labels)


def _parts(graph: csr_matrix, rows: Rows, resolution: float, seed: int) -> list[Rows]:
    """The groups inside a large one, as rows of the points; none where it does not fall apart."""
    if len(rows) < DEEPER:
        return []
    labels = _cleared(graph[rows][:, rows], find_communities(graph[rows][:, rows], resolution, seed))
    groups = [rows[labels == label] for label in range(labels.max() + 1)]
    return groups if len(groups) > 1 else []


def _cleared(graph: csr_matrix, labels: Rows) -> Rows:
    """`labels` with -1 for points that hang together with other communities, and for communities of a few."""
    n = graph.shape[0]
    links = graph.tocoo()
    inside = labels[links.row] == labels[links.col]
    own = np.bincount(links.row[inside], links.data[inside], n)
    every = np.bincount(links.row, links.data, n)
    cleared = np.where(own >= WEAK * every, labels, -1)
    least = max(3, int(LEAST_TOPIC * n))
    sizes = np.bincount(cleared[cleared >= 0], minlength=int(labels.max()) + 1)
    order = np.argsort(-sizes, kind="stable")
    rank = np.full(len(sizes) + 1, -1)
    kept = order[sizes[order] >= least]
    rank[kept] = np.arange(len(kept))
    return rank[cleared]  # -1 reads the last, which is -1


def _described(points: Points, groups: Sequence[Rows], parts: Sequence[Sequence[Rows]]) -> tuple[Topic, ...]:
    """Topics out of rows: all of one level are named beside each other."""
    ordered = [_nearest_to_middle(points, rows) for rows in groups]
    names = name_groups([[_words_of(points.chunks[row]) for row in rows[:_READ]] for rows in ordered])
    found = []
    for name, rows, inner in zip(names, ordered, parts, strict=True):
        below = _described(points, inner, [[] for _ in inner]) if inner else ()
        found.append(Topic(name, rows, _typical(points, rows), below))
    return tuple(found)


def _words_of(chunk: Chunk) -> str:
    """What a name is made from: of a table's row without the names of the columns, which tell nothing."""
    if chunk.heading and _ROW.fullmatch(chunk.heading[-1]):
        return _COLUMN.sub("", chunk.text)
    return embedding_text(chunk)


def _nearest_to_middle(points: Points, rows: Rows) -> Rows:
    middle = unit(points.vectors[rows].mean(axis=0))
    return rows[np.argsort(-(points.vectors[rows] @ middle), kind="stable")]


def _typical(points: Points, rows: Rows) -> tuple[Chunk, ...]:
    chosen: list[Chunk] = []
    for row in rows[:100].tolist():
        chunk = points.chunks[row]
        if chunk.text not in [each.text for each in chosen] and (
            len(points.documents) < _TYPICAL or chunk.source not in [each.source for each in chosen]
        ):
            chosen.append(chunk)
        if len(chosen) == _TYPICAL:
            break
    return tuple(chosen)
