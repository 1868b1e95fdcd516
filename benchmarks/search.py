"""Embedders beside each other, on folders in BEIR's layout: how well passages are found, how long ingest takes.

    python -m benchmarks.search FOLDER… --embedder bilingual --embedder e5 --out results.jsonl

The whole path of ingest and search, as `rag eval retrieval` goes it. Of each set at most `--queries` questions
that have relevant documents are drawn (`--seed`). Printed for each set, embedder and weight of the cosine
(`--weights 0.55/0.4`: of questions in Latin script, and of others): nDCG@10 and recall@5 by documents, `evidence`
(where questions have `references`: the share of those sentences that stand in the ten best hits, the mean over
kinds of questions), seconds to index, and the median milliseconds of a search without the question's embedding.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.config import Settings
from rag.embedders import Embedder, load_embedder
from rag.evaluation.beir import Beir, index_beir, read_beir
from rag.evaluation.metrics import ndcg, recall
from rag.retrieval.search import Weights, search
from rag.stores import Store, open_store
from rag.types import Hit, Vectors

DEPTH = 40
TEN = 10


class Asked:
    """An embedder whose vectors of some questions were computed before."""

    def __init__(self, embedder: Embedder, questions: Sequence[str]) -> None:
        self.inner = embedder
        self.rows = dict(zip(questions, embedder.embed_queries(list(questions)), strict=True))
        if hasattr(embedder, "cross_script"):
            self.cross_script = embedder.cross_script

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return [self.rows[text] for text in texts]  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Options:
    queries: int
    seed: int
    weights: tuple[Weights, ...]


def compare(folder: Path, name: str, options: Options) -> Iterator[dict[str, Any]]:
    """One row of figures for each weight."""
    beir, embedder = read_beir(folder), load_embedder(name)
    drawn = random.Random(options.seed).sample(beir.queries, min(options.queries, len(beir.queries)))
    embedder.embed_documents(["ready", "好"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        store = open_store(f"faiss:{scratch}/index")
        began, used = time.perf_counter(), time.process_time()
        index_beir(store, embedder, beir, Settings())
        indexed, used = time.perf_counter() - began, time.process_time() - used
        asked = Asked(embedder, [query["text"] for query in drawn])
        for weights in options.weights:
            yield {
                "set": folder.name,
                "embedder": name,
                "weights": f"{weights.latin}/{weights.other}",
                **_figures(store, asked, beir, drawn, weights),
                "seconds_index": round(indexed, 1),
                "processor_seconds_index": round(used, 1),
                "chunks": sum(each.chunks for each in store.documents().values()),
            }
        store.close()


def _figures(
    store: Store, embedder: Embedder, beir: Beir, drawn: Sequence[dict[str, Any]], weights: Weights
) -> dict[str, Any]:
    gains, recalls, took = [], [], []
    evidence: dict[str, list[float]] = defaultdict(list)
    for query in drawn:
        began = time.perf_counter()
        hits = search(store, embedder, query["text"], DEPTH, weights)
        took.append(time.perf_counter() - began)
        relevant = beir.relevance[query["_id"]]
        ranked = list(dict.fromkeys(hit.chunk.source for hit in hits))
        gains.append(ndcg(ranked, relevant))
        recalls.append(recall(ranked, relevant, 5))
        if query.get("references"):
            evidence[query.get("type", "")].append(_evidence(query["references"], hits[:TEN]))
    return {
        "queries": len(drawn),
        "ndcg@10": _mean(gains),
        "recall@5": _mean(recalls),
        "evidence": _mean([_mean(each) for each in evidence.values()]) if evidence else None,
        "ms_search_p50": round(1000 * statistics.median(took), 2),
    }


def _evidence(references: Sequence[str], hits: Sequence[Hit]) -> float:
    held = [_plain(hit.chunk.text) for hit in hits]
    wanted = [plain for each in references if (plain := _plain(each))]
    return _mean([float(any(each in text for text in held)) for each in wanted])


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _mean(values: Sequence[float]) -> float:
    return round(statistics.fmean(values), 4) if values else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--embedder", action="append", required=True)
    parser.add_argument("--weights", action="append", default=[])
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    usual = Settings()
    pairs = [tuple(map(float, each.split("/"))) for each in given.weights]
    weights = [Weights(*pair) for pair in pairs or [(usual.dense_weight_latin, usual.dense_weight_other)]]
    options = Options(given.queries, given.seed, tuple(weights))
    for folder in given.folders:
        for name in given.embedder:
            for row in compare(folder, name, options):
                print(json.dumps(row), flush=True)
                if given.out:
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
