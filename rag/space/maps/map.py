"""A map: passages or documents as points of a plane, coloured by topic, with questions among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from rag.errors import SpaceError
from rag.space._tuned import NEIGHBOURS
from rag.space.maps.colours import Colour, choose_colours
from rag.space.maps.layout import Plane, lay_out, neighbours_wanted, place
from rag.space.neighbours import Neighbours, find_neighbours
from rag.space.points import Points, mean_vectors
from rag.space.topics import Topic, find_topics
from rag.types import Chunk, Document, Hit

__all__ = ["Earlier", "Map", "MapQuestion", "MapTopic", "as_documents", "draw_map", "key_of", "with_question"]

Earlier = Mapping[int, Sequence[tuple[float, float]]]
"""Where the points of a map that was drawn before lie, by `key_of`."""

_MARGIN = 0.03  # of the plane's side, free on every side
_AROUND = 0.06  # of the plane's side: the name of a topic stands where most of it lies within so much
_PULL = 30.0  # how much more a nearer hit draws its question, by difference of scores


@dataclass(frozen=True, slots=True)
class MapTopic:
    """A topic on the map: `name` are its words, `at` is the middle of its thickest part."""

    name: tuple[str, ...]
    at: tuple[float, float]
    size: int
    colour: Colour
    parts: tuple[MapTopic, ...] = ()


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """A question on the map: between its hits, `hits` being rows of the map."""

    question: str
    at: tuple[float, float]
    hits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Map:
    """`plane` holds ``(n, 2)`` places in [0, 1], y upwards; `labels` each point's topic, -1 for none.

    `chunks` are the passages (of documents: their first ones), `new` how many were placed between earlier ones.
    """

    plane: Plane
    labels: npt.NDArray[np.int64]
    topics: tuple[MapTopic, ...]
    chunks: Sequence[Chunk]
    documents: Mapping[str, Document]
    by_document: bool = False
    asked: tuple[MapQuestion, ...] = ()
    new: int = 0


def draw_map(points: Points, by_document: bool = False, earlier: Earlier | None = None, seed: int = 0) -> Map:
    """Lay out the `points` and name their topics; with `earlier` places, only what is new is placed, among them.

    Raises SpaceError for fewer than three points, or where `earlier` knows fewer than three of them; MissingExtra
    for a large map without openTSNE.
    """
    if by_document:
        points = as_documents(points)
    if len(points) < 3:
        raise SpaceError(f"{len(points)} points make no map: three or more are needed")
    neighbours = find_neighbours(points.vectors, neighbours_wanted(len(points)))
    found = find_topics(points, seed=seed, neighbours=_nearest(neighbours))
    if earlier is None:
        plane, new = _in_square(lay_out(points.vectors, neighbours, seed)), 0
    else:
        plane, new = _among_earlier(points, earlier, by_document)
    middles = [_thickest(plane[topic.rows]) for topic in found.topics]
    colours = choose_colours(middles)
    topics = tuple(
        _map_topic(plane, topic, at, colour)
        for topic, at, colour in zip(found.topics, middles, colours, strict=True)
    )
    return Map(plane, found.labels, topics, points.chunks, points.documents, by_document, (), new)


def with_question(drawn: Map, question: str, hits: Sequence[Hit]) -> Map:
    """`drawn` with a question between the points of its `hits`; as it is where none of them is on the map."""
    row_of = {_passage(chunk, drawn.by_document): row for row, chunk in reversed(list(enumerate(drawn.chunks)))}
    scores: dict[int, float] = {}
    for hit in hits:
        if (row := row_of.get(_passage(hit.chunk, drawn.by_document))) is not None:
            scores[row] = max(scores.get(row, 0), hit.score)
    if not scores:
        return drawn
    weights = np.exp(_PULL * (np.array(list(scores.values())) - max(scores.values())))
    x, y = (weights / weights.sum()) @ drawn.plane[list(scores)]
    return replace(drawn, asked=(*drawn.asked, MapQuestion(question, (float(x), float(y)), tuple(scores))))


def _passage(chunk: Chunk, by_document: bool) -> tuple[str, int]:
    return chunk.source, -1 if by_document else chunk.position


def as_documents(points: Points) -> Points:
    """One point a document: the mean of its passages' vectors, with the first passage to be read."""
    sources, vectors = mean_vectors(points)
    first: dict[str, Chunk] = {}
    for chunk in points.chunks:
        first.setdefault(chunk.source, chunk)
    return Points([first[source] for source in sources], vectors, points.documents)


def key_of(chunk: Chunk, by_document: bool) -> int:
    """What a point is known by from one map to the next: its source, and the words of a passage."""
    text = chunk.source if by_document else f"{chunk.source}\0{chunk.text}"
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _nearest(neighbours: Neighbours) -> Neighbours:
    """Those that topics are found by."""
    return Neighbours(neighbours.rows[:, :NEIGHBOURS], neighbours.cosines[:, :NEIGHBOURS])


def _in_square(plane: Plane) -> Plane:
    """`plane` moved and scaled into the middle of the unit square, its proportions kept."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    side = max(float((high - low).max()), 1e-12)
    placed: Plane = (0.5 + (plane - (low + high) / 2) * ((1 - 2 * _MARGIN) / side)).astype(np.float32)
    return placed


def _among_earlier(points: Points, earlier: Earlier, by_document: bool) -> tuple[Plane, int]:
    plane = np.full((len(points), 2), np.nan, np.float32)
    times: defaultdict[int, int] = defaultdict(int)
    for row, chunk in enumerate(points.chunks):
        key = key_of(chunk, by_document)
        places = earlier.get(key, ())
        if times[key] < len(places):
            plane[row] = places[times[key]]
        times[key] += 1
    new = np.isnan(plane[:, 0])
    if (~new).sum() < 3:
        raise SpaceError(f"the earlier map shows {int((~new).sum())} of these points: draw a map without it")
    plane[new] = place(points.vectors[new], points.vectors[~new], plane[~new])
    return plane, int(new.sum())


def _map_topic(plane: Plane, topic: Topic, at: tuple[float, float], colour: Colour) -> MapTopic:
    parts = tuple(MapTopic(part.name, _thickest(plane[part.rows]), len(part.rows), colour) for part in topic.parts)
    return MapTopic(topic.name, at, len(topic.rows), colour, parts)


def _thickest(places: Plane) -> tuple[float, float]:
    """Where most of some places lie together. Source: mean shift, from the median."""
    at = np.median(places, axis=0)
    at = places[np.argmin(np.linalg.norm(places - at, axis=1))]
    for _ in range(20):
        at = places[np.linalg.norm(places - at, axis=1) <= _AROUND].mean(axis=0)
    return float(at[0]), float(at[1])
