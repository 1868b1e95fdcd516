"""A BEIR folder through the product's own path: chunk, embed, commit, search."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.pipeline import Indexer, manifest_for
from ingest.size import chunker_for
from rag.answering.answerer import Answerer
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import LoadError
from rag.evaluation.metrics import ndcg, recall, reciprocal_rank
from rag.stores import Store, open_store
from rag.types import Document, Heading, Page

DEPTH = 40
"""Chunks asked for, so that ten different documents are among them."""


@dataclass(frozen=True, slots=True)
class Beir:
    """A corpus with questions, and the graded relevance of its documents for them."""

    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    relevance: dict[str, dict[str, float]]


def read_beir(folder: Path) -> Beir:
    """The set in `folder`; queries without relevant documents are left out. Raises LoadError."""
    try:
        relevance: dict[str, dict[str, float]] = {}
        for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            if float(grade) > 0:
                relevance.setdefault(query, {})[document] = float(grade)
        corpus = list(_lines(folder / "corpus.jsonl"))
        queries = [q for q in _lines(folder / "queries.jsonl") if q["_id"] in relevance]
    except (OSError, ValueError, KeyError) as exc:
        raise LoadError(f"{folder} is no BEIR folder (corpus.jsonl, queries.jsonl, qrels.tsv): {exc}") from exc
    return Beir(corpus, queries, relevance)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def index_beir(store: Store, embedder: Embedder, beir: Beir, settings: Settings) -> None:
    """Ingest the corpus; a document's title is the heading above its text."""
    chunker = chunker_for(embedder, settings)
    with store.write(manifest_for(embedder, chunker)) as writer:
        indexer = Indexer(writer, embedder, chunker)
        for row in beir.corpus:
            headings = (Heading(0, 1, row["title"]),) if row.get("title") else ()
            page = Page(row["text"], headings=headings)
            indexer.add(Document(row["_id"], "", "", len(row["text"]), 0, "text"), [page])
        indexer.flush()


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
            ranked[query["_id"]] = list(dict.fromkeys(hit.chunk.source for hit in hits))
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
