"""Embedders beside each other, on folders in BEIR's layout: how well passages are found, how long ingest takes.

    python -m benchmarks.search FOLDER… --embedder bilingual --embedder e5 --out results.jsonl
    python -m benchmarks.search --mixed xquad-en xquad-zh --embedder bilingual --embedder e5

The whole path of ingest and search, as `rag eval retrieval` goes it. Of each set at most `--queries` questions
that have relevant documents are drawn (`--seed`). Printed for each set, embedder and weight of the cosine
(`--weights 0.55/0.4`: of questions in Latin script, and of others): nDCG@10 and recall@5 by documents, `evidence`
(where questions have `references`: the share of those sentences that stand in the ten best hits, the mean over
kinds of questions), seconds to index, and the median milliseconds of a search without the question's embedding.
`gain` is the difference in nDCG@10 to the first embedder on the same questions, and its standard error.

`--mixed`: two folders with the same paragraphs in two languages, in the same order, make one index in which every
other paragraph is in the first language and the rest in the second. Every question is asked in both languages, and
the four directions are told apart ("xquad-en to xquad-zh").
`--traditional`: the Chinese documents are written in traditional characters; the questions are not.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
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


Asks = dict[str, list[dict[str, Any]]]
"""Questions by what they are called in the results."""
Before = dict[tuple[str, str], list[float]]
"""nDCG@10 of each question by the first embedder, by set and weights."""


def read_set(folder: Path, options: Options) -> tuple[Beir, Asks]:
    """The set in `folder`, and the questions that are drawn of it."""
    beir = read_beir(folder)
    drawn = random.Random(options.seed).sample(beir.queries, min(options.queries, len(beir.queries)))
    return beir, {folder.name: drawn}


def read_mixed(folders: Sequence[Path], options: Options) -> tuple[Beir, Asks]:
    """One set of two in two languages: of each paragraph it has one, the questions both."""
    both = [read_beir(folder) for folder in folders]
    kept = [[row for i, row in enumerate(beir.corpus) if i % 2 == side] for side, beir in enumerate(both)]
    place = {row["_id"]: i for beir in both for i, row in enumerate(beir.corpus)}
    relevance: dict[str, dict[str, float]] = {}
    asks: Asks = {}
    for asked, beir in zip(folders, both, strict=True):
        for query in random.Random(options.seed).sample(beir.queries, min(options.queries, len(beir.queries))):
            at = place[next(iter(beir.relevance[query["_id"]]))]
            name = f"{asked.name}/{query['_id']}"
            relevance[name] = {both[at % 2].corpus[at]["_id"]: 1.0}
            asks.setdefault(f"{asked.name} to {folders[at % 2].name}", []).append({**query, "_id": name})
    return Beir([*kept[0], *kept[1]], [], relevance), asks


def in_traditional(beir: Beir) -> Beir:
    """`beir` with its documents in traditional characters, by OpenCC (`pip install OpenCC==1.4.2`)."""
    from opencc import OpenCC

    convert = OpenCC("s2t").convert
    rows = [{**row, "text": convert(row["text"]), "title": convert(row["title"])} for row in beir.corpus]
    return replace(beir, corpus=rows)


def compare(beir: Beir, asks: Asks, name: str, options: Options, before: Before) -> Iterator[dict[str, Any]]:
    """One row of figures for each group of questions and weight."""
    embedder = load_embedder(name)
    embedder.embed_documents(["ready", "好"])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        store = open_store(f"faiss:{scratch}/index")
        began, used = time.perf_counter(), time.process_time()
        index_beir(store, embedder, beir, Settings())
        indexed, used = time.perf_counter() - began, time.process_time() - used
        asked = Asked(embedder, [query["text"] for drawn in asks.values() for query in drawn])
        for (group, drawn), weights in product(asks.items(), options.weights):
            figures, gains = _figures(store, asked, beir, drawn, weights)
            shown = f"{weights.latin}/{weights.other}"
            yield {
                "set": group,
                "embedder": name,
                "weights": shown,
                **figures,
                "gain": _gain(gains, before.setdefault((group, shown), gains)),
                "seconds_index": round(indexed, 1),
                "processor_seconds_index": round(used, 1),
                "chunks": sum(each.chunks for each in store.documents().values()),
            }
        store.close()


def _figures(
    store: Store, embedder: Embedder, beir: Beir, drawn: Sequence[dict[str, Any]], weights: Weights
) -> tuple[dict[str, Any], list[float]]:
    """Figures over the questions `drawn`, and nDCG@10 of each."""
    gains, recalls, took = [], [], []
    evidence: dict[str, list[float]] = defaultdict(list)
    for query in drawn:
        began = time.perf_counter()
        hits = search(store, embedder, query["text"], DEPTH, weights)
        took.append(time.perf_counter() - began)
        relevant = beir.relevance[query["_id"]]
        ranked = list(dict.fromkeys(c.source for hit in hits for c in (hit.chunk, *hit.also)))
        gains.append(ndcg(ranked, relevant))
        recalls.append(recall(ranked, relevant, 5))
        if query.get("references"):
            evidence[query.get("type", "")].append(_evidence(query["references"], hits[:TEN]))
    figures = {
        "queries": len(drawn),
        "ndcg@10": _mean(gains),
        "recall@5": _mean(recalls),
        "evidence": _mean([_mean(each) for each in evidence.values()]) if evidence else None,
        "ms_search_p50": round(1000 * statistics.median(took), 2),
    }
    return figures, gains


def _gain(gains: Sequence[float], before: Sequence[float]) -> str:
    differences = [now - then for now, then in zip(gains, before, strict=True)]
    if len(differences) < 2:
        return ""
    return f"{_mean(differences):+.4f} ± {statistics.stdev(differences) / math.sqrt(len(differences)):.4f}"


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
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--mixed", nargs=2, type=Path, metavar="FOLDER")
    parser.add_argument("--traditional", action="store_true")
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
    sets = [read_set(folder, options) for folder in given.folders]
    if given.mixed:
        sets.append(read_mixed(given.mixed, options))
    for beir, asks in sets:
        before: Before = {}
        for name in given.embedder:
            for row in compare(in_traditional(beir) if given.traditional else beir, asks, name, options, before):
                print(json.dumps(row, ensure_ascii=False), flush=True)
                if given.out:
                    with given.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
