"""Question to hits: dense and lexical search over a store, fused by normalised scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

from rag.embedders import Embedder
from rag.errors import StoreError
from rag.stores import Store
from rag.text import passage, script, search_terms
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
    query = embedder.embed_queries([question])[0]
    scale = getattr(embedder, "cross_script", 1.0)
    try:
        return _search(store, query, question, k, weights, where, scale)
    except StoreError:  # a commit may have come between the reads: once more, on what is there now
        return _search(store, query, question, k, weights, where, scale)


def _search(
    store: Store, query: Vector, question: str, k: int, weights: Weights, where: Where | None, scale: float
) -> list[Hit]:
    n = max(CANDIDATES, 4 * k)
    dense = store.dense(query, n, where)
    lexical = store.lexical(search_terms(question), n, where)
    chunks = {} if scale >= 1 or isinstance(store, _KnowsScripts) else _read(store, _ids(dense, lexical))
    across = {} if scale >= 1 else _across(store, dense, chunks, question, scale)
    best = fuse(dense, lexical, weights.of(question), n, across)[:k]
    chunks = chunks or _read(store, [scored.id for scored in best])
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


@runtime_checkable
class _KnowsScripts(Protocol):
    """A store that needs not be asked for the text of chunks to tell their script."""

    def latin(self, ids: Sequence[int]) -> list[bool]: ...


def _ids(dense: Sequence[Scored], lexical: Sequence[Scored]) -> list[int]:
    return list(_by_id(dense) | _by_id(lexical))


def _read(store: Store, ids: Sequence[int]) -> dict[int, Chunk]:
    return dict(zip(ids, store.chunks(ids), strict=True))


def _across(
    store: Store, dense: Sequence[Scored], chunks: Mapping[int, Chunk], question: str, scale: float
) -> dict[int, float]:
    """The cosine's weight for what the dense side found in another script than the question's."""
    asked = script(question)
    ids = [scored.id for scored in dense]
    if isinstance(store, _KnowsScripts):
        latin = store.latin(ids)
    else:
        latin = [_script(passage(chunks[i])) == "latin" for i in ids]
    return {
        i: ACROSS[asked] / scale for i, is_latin in zip(ids, latin, strict=True) if is_latin != (asked == "latin")
    }


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
        near = across.get(i, weight) * _share(cosine[i]) if i in cosine else weight * _share(far)
        fused.append(Scored(i, min(1.0, near + (1 - weight) * _share(bm25.get(i, seldom)))))
    return sorted(fused, key=lambda scored: (-scored.score, scored.id))


def _share(score: float) -> float:
    return 0.0 if score < 0.0 else min(score, 1.0)


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
