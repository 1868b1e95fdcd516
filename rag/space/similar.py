"""More like this and less like that: passages and documents by examples, in Qdrant's words for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from rag.embedders import Embedder, EmbedsPictures
from rag.embedders.pictures import SUFFIXES
from rag.errors import IndexMissing, SpaceError
from rag.space.points import unit
from rag.stores import CanDump, Store
from rag.types import Chunk, Hit, Vector, Vectors, Where

__all__ = ["find_similar"]

Mode = Literal["average", "best"]
By = Literal["passage", "document"]

_FILE = re.compile(r"\S+\.[A-Za-z]\w{0,4}")  # what looks like a file's name is not meant as a text
_MOST_EXAMPLES = 32  # passages of one document that stand for it when each is compared
_MORE = 5  # times as many passages as documents are wanted are looked at


def find_similar(
    store: Store,
    embedder: Embedder,
    like: Sequence[str],
    unlike: Sequence[str] = (),
    k: int = 10,
    mode: Mode = "average",
    by: By = "passage",
    where: Where | None = None,
) -> list[Hit]:
    """The `k` passages (or documents, by their best passage) most like `like` and least like `unlike`.

    An example is a source of the index, a picture's file where the embedder knows pictures, or else a text.
    "average": near the mean of the one, away from
    that of the other. "best": by the nearest example of either kind; what is nearer to one of `unlike`
    comes last, with the score 0. Scores in [0, 1] are cosines; sources given as examples are left out.
    Raises IndexMissing, SpaceError without examples, StoreError where the store does not give the vectors
    of a source. Source: https://qdrant.tech/documentation/concepts/explore/ (recommendation).
    """
    if store.manifest() is None:
        raise IndexMissing(store.url)
    if not like:
        raise SpaceError("nothing to be like: give a source of the index or a text")
    sources = set(like) | set(unlike)
    wanted = k if by == "passage" else _MORE * k
    examples = [_vectors(store, embedder, each) for each in like]
    others = [_vectors(store, embedder, each) for each in unlike]
    if mode == "average":
        scored = _by_average(store, examples, others, wanted, where, sources)
    else:
        scored = _by_best(store, examples, others, wanted, where, sources)
    hits: list[Hit] = []
    seen: set[str] = set()
    for score, cosine, chunk in scored:
        if len(hits) == k:
            break
        if by == "passage" or chunk.source not in seen:
            seen.add(chunk.source)
            hits.append(Hit(len(hits) + 1, min(max(score, 0.0), 1.0), chunk, cosine))
    return hits


def _vectors(store: Store, embedder: Embedder, example: str) -> Vectors:
    """The vectors of an example: all passages of a source, or the one of a picture or a text."""
    if example in store.documents():
        if isinstance(store, CanDump) and len(rows := store.rows(example)[2]):
            return rows
        raise SpaceError(f"{store.url} does not give the passages of {example}: give some of its text instead")
    if Path(example).suffix.lower() in SUFFIXES and Path(example).is_file():
        if isinstance(embedder, EmbedsPictures):
            return embedder.embed_pictures([Path(example)])
        raise SpaceError(f"{embedder.id} knows no pictures: ingest with --embedder clip:NAME to compare {example}")
    if _FILE.fullmatch(example):
        raise SpaceError(f"the index has no source {example!r}: `rag sources` lists them")
    return embedder.embed_queries([example])


def _by_average(
    store: Store, like: list[Vectors], unlike: list[Vectors], n: int, where: Where | None, without: set[str]
) -> list[tuple[float, float, Chunk]]:
    wanted = _mean(like)
    query = unit(2 * wanted - _mean(unlike)) if unlike else wanted
    return [(cosine, cosine, chunk) for cosine, chunk in _nearest(store, query, n, where, without)]


def _mean(examples: list[Vectors]) -> Vector:
    """Every example counts the same, however many passages it has."""
    return unit(np.mean([unit(vectors.mean(axis=0)) for vectors in examples], axis=0))


def _by_best(
    store: Store, like: list[Vectors], unlike: list[Vectors], n: int, where: Where | None, without: set[str]
) -> list[tuple[float, float, Chunk]]:
    """The nearest of each example, scored by the nearest example of either kind."""
    best: dict[tuple[str, int], tuple[float, Chunk]] = {}
    worst: dict[tuple[str, int], float] = {}
    for query in _spread(like):
        for cosine, chunk in _nearest(store, query, 2 * n, where, without):
            key = (chunk.source, chunk.position)
            best[key] = max(best.get(key, (-1.0, chunk)), (cosine, chunk), key=lambda pair: pair[0])
    if unlike and best:
        worst = _cosines_to(store, _spread(unlike), list(best))
    scored = [(c if c > worst.get(key, -1) else 0.0, c, chunk) for key, (c, chunk) in best.items()]
    return sorted(scored, key=lambda each: (-each[0], -each[1]))


def _spread(examples: list[Vectors]) -> Vectors:
    """The examples' passages, of a long one some from all over it."""
    parts = [v[np.linspace(0, len(v) - 1, min(len(v), _MOST_EXAMPLES)).astype(int)] for v in examples]
    spread: Vectors = np.vstack(parts)
    return spread


def _cosines_to(store: Store, vectors: Vectors, keys: list[tuple[str, int]]) -> dict[tuple[str, int], float]:
    """For each passage (source and position) the cosine to the nearest of `vectors`."""
    if not isinstance(store, CanDump):
        raise SpaceError(f"{store.url} does not give its vectors, which --not needs here: use --mode average")
    found: dict[tuple[str, int], float] = {}
    for source in {source for source, _ in keys}:
        nearest = (store.rows(source)[2] @ vectors.T).max(axis=1)
        found |= {(source, place): float(cosine) for place, cosine in enumerate(nearest)}
    return found


def _nearest(
    store: Store, query: Vector, n: int, where: Where | None, without: set[str]
) -> list[tuple[float, Chunk]]:
    """The `n` passages nearest to `query` that are of none of the sources `without`, best first."""
    asked = n + 16
    while True:
        found = store.dense(query, asked, where)
        chunks = store.chunks([each.id for each in found])
        kept = [(h.score, c) for h, c in zip(found, chunks, strict=True) if c.source not in without]
        if len(kept) >= n or len(found) < asked:
            return kept[:n]
        asked *= 4
