"""Question to hits: dense and lexical search over a store, fused by normalised scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.embedders import CrossScript, Embedder
from rag.errors import StoreError
from rag.retrieval._tuned import CANDIDATES, CROSS_SCRIPT_WEIGHT
from rag.retrieval.copies import fold_copies
from rag.retrieval.fusion import fuse, scores_by_id
from rag.retrieval.typos import mend_terms
from rag.stores import KnowsScripts, Store
from rag.text import embedding_text, script, search_terms
from rag.types import Chunk, Hit, Scored, Vector, Where

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
    """The `k` chunks that answer `question` best, best first; what says the same is one, and names the others."""
    query = embedder.embed_queries([question])[0]
    scale = embedder.cross_script if isinstance(embedder, CrossScript) else 1.0
    try:
        return _search(store, query, question, k, weights, where, scale)
    except StoreError:  # a commit may have come between the reads: once more, on what is there now
        return _search(store, query, question, k, weights, where, scale)


def _search(
    store: Store, query: Vector, question: str, k: int, weights: Weights, where: Where | None, scale: float
) -> list[Hit]:
    n = max(CANDIDATES, 4 * k)
    dense = store.dense(query, n, where)
    lexical = store.lexical(mend_terms(search_terms(question), store.rarities), n, where)
    chunks = {} if scale >= 1 or isinstance(store, KnowsScripts) else _read(store, _ids(dense, lexical))
    across = {} if scale >= 1 else _across(store, dense, chunks, question, scale)
    fused = fuse(dense, lexical, weights.of(question), n, across)
    best = _different(store, question, fused, k, chunks)
    return _hits(best, dense, lexical)


def _ids(dense: Sequence[Scored], lexical: Sequence[Scored]) -> list[int]:
    return list(scores_by_id(dense) | scores_by_id(lexical))


def _read(store: Store, ids: Sequence[int]) -> dict[int, Chunk]:
    return dict(zip(ids, store.chunks(ids), strict=True))


def _across(
    store: Store, dense: Sequence[Scored], chunks: Mapping[int, Chunk], question: str, scale: float
) -> dict[int, float]:
    """The cosine's weight for what the dense side found in another script than the question's."""
    asked = script(question)
    ids = [scored.id for scored in dense]
    if isinstance(store, KnowsScripts):
        latin = store.latin(ids)
    else:
        latin = [_script(embedding_text(chunks[i])) == "latin" for i in ids]
    return {
        i: CROSS_SCRIPT_WEIGHT[asked] / scale
        for i, is_latin in zip(ids, latin, strict=True)
        if is_latin != (asked == "latin")
    }


def _different(
    store: Store, question: str, fused: Sequence[Scored], k: int, chunks: dict[int, Chunk]
) -> list[list[tuple[Scored, Chunk]]]:
    """The `k` best of `fused` that say different things, each with its copies behind it."""
    seen = min(len(fused), 2 * k)
    while True:
        chunks |= _read(store, [scored.id for scored in fused[:seen] if scored.id not in chunks])
        read = [(scored, chunks[scored.id]) for scored in fused[:seen]]
        groups = fold_copies(question, [chunk for _, chunk in read])
        if len(groups) >= k or seen == len(fused):
            return [[read[i] for i in group] for group in groups[:k]]
        seen = min(len(fused), 2 * seen)


def _hits(
    best: Sequence[Sequence[tuple[Scored, Chunk]]], dense: Sequence[Scored], lexical: Sequence[Scored]
) -> list[Hit]:
    cosine: Mapping[int, float] = scores_by_id(dense)
    bm25: Mapping[int, float] = scores_by_id(lexical)
    return [
        Hit(rank, scored.score, chunk, cosine.get(scored.id), bm25.get(scored.id), tuple(c for _, c in copies))
        for rank, ((scored, chunk), *copies) in enumerate(best, start=1)
    ]
