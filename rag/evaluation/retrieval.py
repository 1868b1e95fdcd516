"""Search measured on a BEIR folder, by the same path as for users: chunk, embed, commit, search."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from rag.answering.answerer import Answerer
from rag.config import Settings
from rag.embedders import Embedder
from rag.evaluation.beir import index_beir, read_beir
from rag.evaluation.metrics import ndcg, recall, reciprocal_rank
from rag.stores import open_store

DEPTH = 40
"""Chunks asked for, so that ten different documents are among them."""


def evaluate_retrieval(
    folder: Path, embedder: Embedder, settings: Settings, limit: int | None = None
) -> dict[str, float | int]:
    """nDCG@10, recall@k and MRR@10 over the queries that have relevant documents; seconds and ms."""
    beir = read_beir(folder)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        store = open_store(f"faiss:{scratch}/index")
        began = time.perf_counter()
        index_beir(store, embedder, beir, settings)
        indexed = time.perf_counter() - began
        answerer = Answerer(store, embedder, None, settings)
        answerer.search("warm up", DEPTH)
        ranked, seconds = {}, []
        for query in beir.queries[:limit]:
            began = time.perf_counter()
            hits = answerer.search(query["text"], DEPTH)
            seconds.append(time.perf_counter() - began)
            ranked[query["_id"]] = list(dict.fromkeys(c.source for hit in hits for c in (hit.chunk, *hit.also)))
        store.close()
    return {
        "docs": len(beir.corpus),
        "queries": len(ranked),
        "ndcg@10": _mean([ndcg(r, beir.relevance[q]) for q, r in ranked.items()]),
        **{f"recall@{k}": _mean([recall(r, beir.relevance[q], k) for q, r in ranked.items()]) for k in (1, 5, 10)},
        "mrr@10": _mean([reciprocal_rank(r, beir.relevance[q]) for q, r in ranked.items()]),
        "seconds_index": round(indexed, 2),
        "ms_query_p50": round(1000 * statistics.median(seconds), 2) if seconds else 0.0,
    }


def _mean(values: list[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0
