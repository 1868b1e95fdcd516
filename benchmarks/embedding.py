"""The embedder alone: ragstone's engine beside `SentenceTransformer.encode` in fp32, on the same weights.

Each runs in a process of its own, in turn, on the same 500 abstracts (in one process the threads of the one,
waiting busily, slow the other down); only the ratio of one round's two figures counts.
`python -m benchmarks.embedding results.json CACHE QRELS`; the abstracts, and the fp32 vectors of all of scifact
for nDCG@10, are those that `benchmarks.run` has left in the cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.engines import model_folder
from benchmarks.peers.common import best, files, read_lines
from benchmarks.results import Results
from rag.embedders._tuned import MANY
from rag.embedders.builtin.minilm import MAX_TOKENS, MiniLM
from rag.evaluation.metrics import ndcg

ROUNDS = 5
TEXTS = 500
DEEP = 50

Vectors = npt.NDArray[np.float32]


def warm_up() -> None:
    """Write the graphs that are made from the weights at first use, so that no run pays for it."""
    from rag.embedders import load_embedder

    embedder = load_embedder("bilingual")
    embedder.embed_documents(["ready", "好"])
    embedder.embed_documents([f"ready {n} " * 100 for n in range(MANY // 100)])


def rounds(cache: Path) -> list[dict[str, float]]:
    """Tokens a second of both, in turn, and their ratio."""
    found = []
    for n in range(ROUNDS):
        speeds = {
            name: _in_a_process(name, cache) for name in (("ours", "theirs") if n % 2 else ("theirs", "ours"))
        }
        found.append({**speeds, "ratio": speeds["ours"] / speeds["theirs"]})
    return found


def _in_a_process(name: str, cache: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.embedding", "speed", name, str(cache)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def speed(name: str, cache: Path) -> float:
    """Tokens a second of one of the two, once it has warmed up."""
    texts = _texts(cache)
    ours = MiniLM.load()
    tokens = sum(min(count, MAX_TOKENS) for count in ours.count_tokens(texts))
    embed = ours.embed if name == "ours" else _theirs().encode
    embed(texts[:50])
    began = time.perf_counter()
    embed(texts)
    return tokens / (time.perf_counter() - began)


def cosines(ours: MiniLM, theirs: Any, texts: list[str]) -> dict[str, float]:
    """How alike the vectors of both are: the mean and the least cosine."""
    found = (ours.embed(texts) * theirs.encode(texts, normalize_embeddings=True)).sum(axis=1)
    return {"mean": float(found.mean()), "least": float(found.min())}


def _texts(cache: Path) -> list[str]:
    return [text for _, text in files(cache / "works" / "scifact" / "files")][:TEXTS]


def _theirs() -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model_folder()), device="cpu")


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
    if sys.argv[1] == "speed":
        print(speed(sys.argv[2], Path(sys.argv[3])))
        return
    results, cache = Results.read(Path(sys.argv[1])), Path(sys.argv[2])
    if texts := _texts(cache):
        print(f"embedding: {len(texts)} abstracts, {ROUNDS} rounds ...", file=sys.stderr, flush=True)
        found = {"texts": len(texts), "rounds": rounds(cache)}
        ours, theirs = MiniLM.load(), _theirs()
        results.facts["embedding"] = {**found, "cosine": cosines(ours, theirs, texts)}
        results.write()
        if (cache / "indexes" / "scifact.floor").exists() and len(sys.argv) > 3:
            from benchmarks.work import read_qrels

            grades = quality(ours, theirs, cache, read_qrels(Path(sys.argv[3])))
            results.facts["embedding"]["quality"] = grades
            results.write()


if __name__ == "__main__":
    main()
