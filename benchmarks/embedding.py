"""The embedder alone: ragstone's engine beside `SentenceTransformer.encode` in fp32, on the same weights.

Both run in this process, in turn, on the same 1,000 abstracts; only the ratio of one round's two figures
counts. `python -m benchmarks.embedding results.json CACHE QRELS`; the abstracts, and the fp32 vectors of all
of scifact for nDCG@10, are those that `benchmarks.run` has left in the cache.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.common import best, files, read_lines
from benchmarks.results import Results
from rag.embedders.minilm import MAX_TOKENS, MiniLM
from rag.evaluate import ndcg

ROUNDS = 3
TEXTS = 1000
DEEP = 50

Vectors = npt.NDArray[np.float32]


def warm_up() -> None:
    """Write the graphs that are made from the weights at first use, so that no run pays for it."""
    from rag.embedders import load_embedder

    load_embedder("bilingual").embed_documents(["ready", "好"])


def rounds(ours: MiniLM, theirs: Any, texts: list[str]) -> list[dict[str, float]]:
    """Tokens a second of both, in turn, and the cosines between their vectors."""
    tokens = sum(min(count, MAX_TOKENS) for count in ours.count_tokens(texts))
    ours.embed(texts[:50])
    theirs.encode(texts[:50])
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        mine = ours.embed(texts)
        between = time.perf_counter()
        other = theirs.encode(texts, normalize_embeddings=True)
        ended = time.perf_counter()
        cosines = (mine * other).sum(axis=1)
        found.append(
            {
                "ours": tokens / (between - began),
                "theirs": tokens / (ended - between),
                "ratio": (ended - between) / (between - began),
                "cosine": float(cosines.mean()),
                "least": float(cosines.min()),
            }
        )
    return found


def quality(ours: MiniLM, theirs: Any, cache: Path, qrels: dict[str, dict[str, float]]) -> dict[str, float]:
    """nDCG@10 of dense search alone, by our vectors and by the fp32 ones of the floor's index."""
    import faiss

    index = cache / "indexes" / "scifact.floor"
    flat = faiss.read_index(str(index / "index.faiss"))
    rows = json.loads((index / "chunks.json").read_text(encoding="utf-8"))
    questions = read_lines(cache / "works" / "scifact" / "questions.jsonl")
    asked = [question["text"] for question in questions]
    sources = [row["source"] for row in rows]
    fp32 = flat.reconstruct_n(0, flat.ntotal)
    int8 = ours.embed([row["text"] for row in rows])
    found = {}
    for name, vectors, query in (
        ("ours", int8, ours.embed(asked)),
        ("theirs", fp32, theirs.encode(asked, normalize_embeddings=True)),
    ):
        order = np.argsort(-(query @ vectors.T), axis=1, kind="stable")[:, :DEEP]
        ranked = [best([sources[i] for i in row]) for row in order]
        grades = [
            ndcg(documents, qrels[question["_id"]])
            for question, documents in zip(questions, ranked, strict=True)
            if question["_id"] in qrels
        ]
        found[f"ndcg {name}"] = float(np.mean(grades))
    return found


def main() -> None:
    if sys.argv[1] == "warm-up":
        warm_up()
        return
    from sentence_transformers import SentenceTransformer

    results, cache = Results.read(Path(sys.argv[1])), Path(sys.argv[2])
    ours, theirs = MiniLM.load(), SentenceTransformer(os.environ["BENCH_MODEL"], device="cpu")
    texts = [text for _, text in files(cache / "works" / "scifact" / "files")][:TEXTS]
    if texts:
        print(f"embedding: {len(texts)} abstracts, {ROUNDS} rounds ...", file=sys.stderr, flush=True)
        results.facts["embedding"] = {"texts": len(texts), "rounds": rounds(ours, theirs, texts)}
        results.write()
    if (cache / "indexes" / "scifact.floor").exists() and len(sys.argv) > 3:
        from benchmarks.work import read_qrels

        results.facts.setdefault("embedding", {})["quality"] = quality(
            ours, theirs, cache, read_qrels(Path(sys.argv[3]))
        )
        results.write()


if __name__ == "__main__":
    main()
