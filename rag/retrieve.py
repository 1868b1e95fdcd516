"""Question to hits: dense and lexical search over a store, fused by normalised scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rag.embedders import Embedder
from rag.errors import StoreError
from rag.stores import Store
from rag.text import passage, script, terms
from rag.types import Chunk, Hit, Scored, Vector, Where

CANDIDATES = 100
"""How many chunks each side of the search brings, at least."""

ACROSS = {"latin": 0.8, "other": 0.55}
"""The cosine's weight for a chunk in another script, by the question's: no words are shared, so meaning is all
there is. An embedder whose cosines are smaller there says by how much (`cross_script`), and is made up for.
Chosen on English and Chinese paragraphs in one index: what is in the question's own language loses nothing."""

_script = lru_cache(maxsize=1 << 14)(script)  # of what the embedder read, so that both judge alike


@dataclass(frozen=True, slots=True)
class Weights:
    """The dense score's share of a hit's score, by the script of the question; the rest is BM25's."""

    latin: float
    other: float

    def of(self, question: str) -> float:
        return self.latin if script(question) == "latin" else self.other


def search(
    store: Store, embedder: Embedder, question: str, k: int, weights: Weights, where: Where | None = None
) -> list[Hit]:
    """The `k` chunks that answer `question` best, best first."""
    n = max(CANDIDATES, 4 * k)
    query = embedder.embed_queries([question])[0]
    try:
        dense, lexical, chunks = _candidates(store, query, question, n, where)
    except StoreError:  # a commit may have come between the reads: once more, on what is there now
        dense, lexical, chunks = _candidates(store, query, question, n, where)
    across = _across(chunks, question, getattr(embedder, "cross_script", 1.0))
    best = fuse(dense, lexical, weights.of(question), n, across)[:k]
    return _hits(best, [chunks[scored.id] for scored in best], dense, lexical)


def together(searches: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
    """The `k` best hits of several searches, each giving its best in turn, best score first.

    A chunk that several searches found keeps its best score.
    """
    best: dict[tuple[str, int], Hit] = {}
    for hit in sorted((hit for hits in searches for hit in hits), key=lambda hit: -hit.score):
        best.setdefault((hit.chunk.source, hit.chunk.position), hit)
    chosen: dict[tuple[str, int], Hit] = {}
    for rank in range(max(map(len, searches), default=0)):
        for hits in searches:
            if rank < len(hits) and len(chosen) < k:
                key = (hits[rank].chunk.source, hits[rank].chunk.position)
                chosen.setdefault(key, best[key])
    ordered = sorted(chosen.values(), key=lambda hit: (-hit.score, hit.rank))
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]


def _candidates(
    store: Store, query: Vector, question: str, n: int, where: Where | None
) -> tuple[list[Scored], list[Scored], dict[int, Chunk]]:
    """What either side of the search finds, and the chunks by id."""
    dense = store.dense(query, n, where)
    lexical = store.lexical(terms(question), n, where)
    ids = list(_by_id(dense) | _by_id(lexical))
    return dense, lexical, dict(zip(ids, store.chunks(ids), strict=True))


def _across(chunks: Mapping[int, Chunk], question: str, scale: float) -> dict[int, float]:
    """The cosine's weight for the chunks in another script, where the embedder's cosines are smaller there."""
    if scale >= 1:
        return {}
    asked = script(question)
    return {i: ACROSS[asked] / scale for i, chunk in chunks.items() if _script(passage(chunk)) != asked}


def fuse(
    dense: Sequence[Scored],
    lexical: Sequence[Scored],
    weight: float,
    n: int,
    across: Mapping[int, float] | None = None,
) -> list[Scored]:
    """One ranking of two: ``weight * cosine + (1 - weight) * BM25``, both in [0, 1], best first.

    `across` gives other weights to the cosine of some chunks.

    Both scores are absolute (the cosine by nature, BM25 as a share of the best that the question
    could reach), so a question whose words the documents lack is ranked by meaning alone. What
    one side did not return scores there as its last candidate did, or 0 where that side returned
    all it had: no more than the truth, since a side returns its `n` best.
    """
    cosine, bm25 = _by_id(dense), _by_id(lexical)
    far, seldom = _floor(dense, n), _floor(lexical, n)
    across = across or {}
    fused = []
    for i in cosine | bm25:
        # What the dense side did not return is given no more than any other: its floor says nothing of it.
        near = _share(cosine[i], across.get(i, weight)) if i in cosine else _share(far, weight)
        fused.append(Scored(i, min(1.0, near + _share(bm25.get(i, seldom), 1 - weight))))
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


def _share(score: float, weight: float) -> float:
    return weight * min(max(score, 0.0), 1.0)


def _by_id(side: Sequence[Scored]) -> dict[int, float]:
    return {scored.id: scored.score for scored in side}


def _floor(side: Sequence[Scored], n: int) -> float:
    return side[-1].score if len(side) >= n else 0.0


def _hits(
    best: Sequence[Scored], chunks: Sequence[Chunk], dense: Sequence[Scored], lexical: Sequence[Scored]
) -> list[Hit]:
    cosine: Mapping[int, float] = _by_id(dense)
    bm25: Mapping[int, float] = _by_id(lexical)
    return [
        Hit(rank, scored.score, chunk, cosine.get(scored.id), bm25.get(scored.id))
        for rank, (scored, chunk) in enumerate(zip(best, chunks, strict=True), start=1)
    ]
