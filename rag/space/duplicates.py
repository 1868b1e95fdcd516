"""The same and nearly the same, of passages and of documents; and what differs between them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rag.errors import SpaceError
from rag.space.neighbours import find_neighbours
from rag.space.points import Points
from rag.types import Chunk

__all__ = ["DuplicateDocuments", "DuplicatePassages", "Duplicates", "find_duplicates"]

_LOOKED_AT = 16  # neighbours of a passage: a larger group hangs together by them
_MOST_SHOWN = 50  # passages of one group that are compared as pairs of documents; more are boilerplate
_SAME_DOCUMENT = 0.8  # of the passages of both must be the same or nearly so


@dataclass(frozen=True, slots=True)
class DuplicatePassages:
    """Passages that say the same, the first the one that the others are nearest to.

    `cosine` is the least of the others to the first (1 for the same words, wherever they stand); `same` says
    that all have the same words.
    """

    chunks: tuple[Chunk, ...]
    cosine: float
    same: bool


@dataclass(frozen=True, slots=True)
class DuplicateDocuments:
    """Sources that hold the same. `shared` is the least share of passages that two of them have in common."""

    sources: tuple[str, ...]
    shared: float
    same: bool


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What `find_duplicates` found, the most text first."""

    documents: tuple[DuplicateDocuments, ...]
    passages: tuple[DuplicatePassages, ...]


def find_duplicates(points: Points, above: float = 0.95) -> Duplicates:
    """Passages whose cosine is at least `above`, in groups, and documents that are made of such passages.

    What has the same words is put together first; of the rest each passage is compared with its nearest
    alone, so that no work is quadratic. Raises SpaceError for an `above` outside (0, 1].
    """
    if not 0 < above <= 1:
        raise SpaceError(f"the least cosine of duplicates must lie above 0 and at most at 1, not {above}")
    same: defaultdict[str, list[int]] = defaultdict(list)
    for row, chunk in enumerate(points.chunks):
        same["".join(chunk.text.split())].append(row)
    alike = list(same.values())
    near = list(_near(points, [rows[0] for rows in alike], above))
    grouped = {member for members, _ in near for member in members}
    near += [([i], 1.0) for i, rows in enumerate(alike) if len(rows) > 1 and i not in grouped]
    groups = [[row for member in members for row in alike[member]] for members, _ in near]
    passages = [
        DuplicatePassages(tuple(points.chunks[row] for row in rows), cosine, len(members) == 1)
        for rows, (members, cosine) in zip(groups, near, strict=True)
    ]
    passages.sort(key=_weight, reverse=True)
    return Duplicates(tuple(_documents(points, groups)), tuple(passages))


def _near(points: Points, rows: Sequence[int], above: float) -> Iterator[tuple[list[int], float]]:
    """Groups of places in `rows` whose vectors are near, the first of each the one that all are near to."""
    if len(rows) < 2:
        return
    vectors = points.vectors[rows]
    found = find_neighbours(vectors, _LOOKED_AT)
    near = (found.cosines >= above) & (found.rows >= 0)
    pairs = np.argwhere(near)
    links = [(int(a), int(found.rows[a, place])) for a, place in pairs]
    for component in _joined(links):
        waiting = component
        while len(waiting) > 1:  # a chain of near passages may end far from where it began
            cosines = vectors[waiting] @ vectors[waiting].T if len(waiting) <= _MOST_SHOWN else None
            first = int(np.argmax((cosines >= above).sum(axis=1))) if cosines is not None else 0
            to_first = vectors[waiting] @ vectors[waiting[first]]
            to_first[first] = 1
            group = [waiting[first], *(w for w, c in zip(waiting, to_first, strict=True) if c >= above)]
            if len(members := list(dict.fromkeys(group))) > 1:
                yield members, min(1.0, float(to_first[to_first >= above].min()))
            waiting = [w for w, c in zip(waiting, to_first, strict=True) if c < above]


def _joined(links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """What hangs together by `links`, each part in order."""
    above: dict[int, int] = {}

    def top(node: int) -> int:
        while (parent := above.setdefault(node, node)) != node:
            above[node] = above[parent]
            node = above[node]
        return node

    for a, b in links:
        above[max(top(a), top(b))] = min(top(a), top(b))
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for node in sorted(above):
        parts[top(node)].append(node)
    return list(parts.values())


def _weight(group: DuplicatePassages) -> tuple[int, str]:
    """How much text is there more than once."""
    return sum(len(chunk.text) for chunk in group.chunks[1:]), group.chunks[0].source


def _documents(points: Points, groups: Sequence[Sequence[int]]) -> list[DuplicateDocuments]:
    sizes = Counter(chunk.source for chunk in points.chunks)
    shares = _shares(points, groups, sizes)
    for same in _same_files(points):
        shares.update(dict.fromkeys(pairwise(same), 1.0))
    names = sorted(sizes)
    number = {name: i for i, name in enumerate(names)}
    links = [(number[a], number[b]) for (a, b), share in shares.items() if share >= _SAME_DOCUMENT]
    found = []
    for part in _joined(links):
        sources = tuple(names[i] for i in part)
        inside = [s for (a, b), s in shares.items() if a in sources and b in sources and s >= _SAME_DOCUMENT]
        hashes = {points.documents[source].sha256 for source in sources}
        found.append(DuplicateDocuments(sources, round(min(inside), 4), len(hashes) == 1))
    return sorted(found, key=lambda each: (-each.same, -sizes[each.sources[0]], each.sources))


def _same_files(points: Points) -> list[list[str]]:
    by_hash: defaultdict[str, list[str]] = defaultdict(list)
    for source, document in points.documents.items():
        by_hash[document.sha256].append(source)
    return [sorted(sources) for sources in by_hash.values() if len(sources) > 1]


def _shares(
    points: Points, groups: Sequence[Sequence[int]], sizes: Mapping[str, int]
) -> dict[tuple[str, str], float]:
    """For two sources, in order, the share of the longer one's passages that the other has too."""
    common: Counter[tuple[str, str]] = Counter()
    for group in groups:
        held = Counter(points.chunks[row].source for row in group[:_MOST_SHOWN])
        sources = sorted(held)
        for i, a in enumerate(sources):
            for b in sources[i + 1 :]:
                common[a, b] += min(held[a], held[b])
    return {(a, b): n / max(sizes[a], sizes[b]) for (a, b), n in common.items()}
