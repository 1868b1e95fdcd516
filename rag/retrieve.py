"""Question to hits: dense and lexical search over a store, fused by normalised scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag.embedders import Embedder
from rag.stores import Store
from rag.text import script, terms
from rag.types import Chunk, Hit, Scored, Where

CANDIDATES = 100
"""How many chunks each side of the search brings, at least."""


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
    dense = store.dense(embedder.embed_queries([question])[0], n, where)
    lexical = store.lexical(terms(question), n, where)
    best = fuse(dense, lexical, weights.of(question), n)[:k]
    chunks = store.chunks([scored.id for scored in best])
    return _hits(best, chunks, dense, lexical)


def fuse(dense: Sequence[Scored], lexical: Sequence[Scored], weight: float, n: int) -> list[Scored]:
    """One ranking of two: ``weight * cosine + (1 - weight) * BM25``, both in [0, 1], best first.

    Both scores are absolute (the cosine by nature, BM25 as a share of the best that the question
    could reach), so a question whose words the documents lack is ranked by meaning alone. What
    one side did not return scores there as its last candidate did, or 0 where that side returned
    all it had: no more than the truth, since a side returns its `n` best.
    """
    sides = [(weight, _by_id(dense), _floor(dense, n)), (1 - weight, _by_id(lexical), _floor(lexical, n))]
    ids = {**sides[0][1], **sides[1][1]}
    fused = [
        Scored(i, sum(w * min(max(scores.get(i, floor), 0.0), 1.0) for w, scores, floor in sides)) for i in ids
    ]
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


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
