"""Question to hits: dense and lexical search over a store, fused by normalised scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from rag.embedders import CrossScript, Embedder
from rag.errors import StoreError
from rag.retrieval._tuned import CANDIDATES, CROSS_SCRIPT_WEIGHT
from rag.retrieval.copies import fold_copies
from rag.retrieval.fusion import fuse, scores_by_id
from rag.retrieval.synonyms import Synonyms
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


@dataclass(frozen=True, slots=True)
class _Found:
    """A chunk's score, and the cosine and BM25 that it comes from (None: that side did not return it)."""

    id: int
    score: float
    dense: float | None
    lexical: float | None


def search(
    store: Store,
    embedder: Embedder,
    question: str,
    k: int,
    weights: Weights,
    where: Where | None = None,
    synonyms: Synonyms | None = None,
) -> list[Hit]:
    """The `k` chunks that answer `question` best, best first; what says the same is one, and names the others.

    With `synonyms`, a chunk is as good as the wording that it fits best.
    """
    wordings = synonyms.wordings(question) if synonyms else [question]
    asked = [_Asked(text, vector) for text, vector in zip(wordings, embedder.embed_queries(wordings), strict=True)]
    scale = embedder.cross_script if isinstance(embedder, CrossScript) else {}
    try:
        return _search(store, asked, k, weights, where, scale)
    except StoreError:  # a commit may have come between the reads: once more, on what is there now
        return _search(store, asked, k, weights, where, scale)


@dataclass(frozen=True, slots=True)
class _Asked:
    text: str
    vector: Vector


def _search(
    store: Store,
    asked: Sequence[_Asked],
    k: int,
    weights: Weights,
    where: Where | None,
    scale: Mapping[str, float],
) -> list[Hit]:
    chunks: dict[int, Chunk] = {}
    n = max(CANDIDATES, 4 * k)
    rankings = [_rank(store, each, n, weights, where, scale, chunks) for each in asked]
    best = _different(store, asked[0].text, _best_of(rankings), k, chunks)
    return [
        Hit(rank, found.score, chunk, found.dense, found.lexical, tuple(copy for _, copy in copies))
        for rank, ((found, chunk), *copies) in enumerate(best, start=1)
    ]


def _rank(
    store: Store,
    asked: _Asked,
    n: int,
    weights: Weights,
    where: Where | None,
    scale: Mapping[str, float],
    chunks: dict[int, Chunk],
) -> list[_Found]:
    """What one wording finds, best first; `chunks` are those that were read, and become more."""
    dense = store.dense(asked.vector, n, where)
    lexical = store.lexical(mend_terms(search_terms(asked.text), store.rarities), n, where)
    if scale and not isinstance(store, KnowsScripts):
        chunks |= _read(store, [i for i in _ids(dense, lexical) if i not in chunks])
    across = _across(store, dense, chunks, asked.text, scale) if scale else {}
    cosine, bm25 = scores_by_id(dense), scores_by_id(lexical)
    fused = fuse(dense, lexical, weights.of(asked.text), n, across)
    return [_Found(each.id, each.score, cosine.get(each.id), bm25.get(each.id)) for each in fused]


def _best_of(rankings: Sequence[Sequence[_Found]]) -> Sequence[_Found]:
    if len(rankings) == 1:
        return rankings[0]
    best: dict[int, _Found] = {}
    for found in sorted(chain.from_iterable(rankings), key=lambda found: (-found.score, found.id)):
        best.setdefault(found.id, found)
    return list(best.values())


def _ids(dense: Sequence[Scored], lexical: Sequence[Scored]) -> list[int]:
    return list(scores_by_id(dense) | scores_by_id(lexical))


def _read(store: Store, ids: Sequence[int]) -> dict[int, Chunk]:
    return dict(zip(ids, store.chunks(ids), strict=True))


def _across(
    store: Store, dense: Sequence[Scored], chunks: Mapping[int, Chunk], question: str, scale: Mapping[str, float]
) -> dict[int, float]:
    """The cosine's weight for what the dense side found in another script than the question's."""
    asked = script(question)
    ids = [scored.id for scored in dense]
    if isinstance(store, KnowsScripts):
        latin = store.latin(ids)
    else:
        latin = [_script(embedding_text(chunks[i])) == "latin" for i in ids]
    return {
        i: CROSS_SCRIPT_WEIGHT[asked] / scale[asked]
        for i, is_latin in zip(ids, latin, strict=True)
        if is_latin != (asked == "latin")
    }


def _different(
    store: Store, question: str, fused: Sequence[_Found], k: int, chunks: dict[int, Chunk]
) -> list[list[tuple[_Found, Chunk]]]:
    """The `k` best of `fused` that say different things, each with its copies behind it."""
    seen = min(len(fused), 2 * k)
    while True:
        chunks |= _read(store, [found.id for found in fused[:seen] if found.id not in chunks])
        read = [(found, chunks[found.id]) for found in fused[:seen]]
        groups = fold_copies(question, [chunk for _, chunk in read])
        if len(groups) >= k or seen == len(fused):
            return [[read[i] for i in group] for group in groups[:k]]
        seen = min(len(fused), 2 * seen)
