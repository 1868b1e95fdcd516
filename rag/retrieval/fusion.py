"""Several rankings to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rag.types import Hit, Scored


def merge_rankings(searches: Sequence[Sequence[Hit]], k: int) -> list[Hit]:
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
    cosine, bm25 = scores_by_id(dense), scores_by_id(lexical)
    far, seldom = _floor(dense, n), _floor(lexical, n)
    across = across or {}
    fused = []
    for i in cosine | bm25:
        # What the dense side did not return is given no more than any other: its floor says nothing of it.
        near = across.get(i, weight) * _share(cosine[i]) if i in cosine else weight * _share(far)
        fused.append(Scored(i, min(1.0, near + (1 - weight) * _share(bm25.get(i, seldom)))))
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


def _share(score: float) -> float:
    return 0.0 if score < 0.0 else min(score, 1.0)


def scores_by_id(side: Sequence[Scored]) -> dict[int, float]:
    return {scored.id: scored.score for scored in side}


def _floor(side: Sequence[Scored], n: int) -> float:
    return side[-1].score if len(side) >= n else 0.0
