"""How cost grows with the number of chunks: build, bytes, memory, opening, searches, recall; as JSON and a plot.

    python benchmarks/scale.py --shared FOLDER --work FOLDER [--sizes 10000,100000,1000000]

Each measurement is a process of its own. Latencies are the least of three medians, each over other questions,
asked once: no term is cached that a question before did not bring.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
ROUNDS, QUESTIONS, WARM_UP = 3, 100, 50
PER_DOCUMENT = 25
COMMIT = 500  # chunks, as an ingest does


def build(work: Path, n: int) -> dict[str, float]:
    """Write `n` chunks through the product's own writer."""
    from grown import grown

    from rag.stores.faiss.store import FaissStore
    from rag.text import TERMS
    from rag.types import Chunk, Document, Manifest

    made = 0.0
    store = FaissStore(_folder(work, n))
    with store.write(Manifest("bilingual", _weights(), 896, terms=TERMS)) as writer:
        for start, (texts, vectors) in zip(range(0, n, 5000), grown(work, n), strict=True):
            began = time.perf_counter()
            for i in range(0, len(texts), PER_DOCUMENT):
                source = f"{(start + i) // PER_DOCUMENT:07}.md"
                some = texts[i : i + PER_DOCUMENT]
                chunks = [Chunk(source, text, 0, len(text), k) for k, text in enumerate(some)]
                document = Document(source, f"/grown/{source}", "0" * 64, 1, 1, "markdown", len(chunks))
                writer.put(document, chunks, vectors[i : i + PER_DOCUMENT])
                if (i + PER_DOCUMENT) % COMMIT == 0:
                    writer.commit()
            writer.commit()
            made += time.perf_counter() - began
    size = store.statistics()["bytes"]
    store.close()
    return {"build_s": made, "bytes": float(size)}


def search(work: Path, n: int) -> dict[str, float]:
    """Opening, and the searches of a process that stays."""
    from rag.config import Settings
    from rag.embedders import load_embedder
    from rag.retrieval.search import Weights
    from rag.retrieval.search import search as fused
    from rag.stores.faiss.store import FaissStore
    from rag.text import search_terms

    questions = json.loads((work / "pieces.json").read_text(encoding="utf-8"))[1]
    embedder = load_embedder("bilingual")
    vectors = embedder.embed_queries(questions[: WARM_UP + 1])
    before = _resident()
    began = time.perf_counter()
    store = FaissStore(_folder(work, n))
    store.dense(vectors[0], 10)
    store.lexical(search_terms(questions[0]), 10)
    opened = time.perf_counter() - began
    weights = Weights(Settings().dense_weight_latin, Settings().dense_weight_other)

    def parts(question: str) -> list[float]:
        marks = [time.perf_counter()]
        for step in (
            lambda: store.dense(embedder.embed_queries([question])[0], 100),
            lambda: store.lexical(search_terms(question), 100),
        ):
            step()
            marks.append(time.perf_counter())
        return np.diff(marks).tolist()

    def whole(question: str) -> list[float]:
        start = time.perf_counter()
        fused(store, embedder, question, 10, weights)
        return [time.perf_counter() - start]

    def embed(question: str) -> list[float]:
        start = time.perf_counter()
        embedder.embed_queries([question])
        return [time.perf_counter() - start]

    for question in questions[:WARM_UP]:
        whole(question)
    rest = questions[WARM_UP:]
    found = {
        **_percentiles(["fused"], whole, rest),
        **_percentiles(["embed_dense", "lexical"], parts, rest[ROUNDS * QUESTIONS :]),
        **_percentiles(["embed"], embed, rest[2 * ROUNDS * QUESTIONS :]),
    }
    found["dense_p50_ms"] = found["embed_dense_p50_ms"] - found["embed_p50_ms"]
    return {"open_ms": 1000 * opened, **found, "memory_mb": _resident() - before}


def _percentiles(
    names: Sequence[str], measure: Callable[[str], list[float]], questions: Sequence[str]
) -> dict[str, float]:
    """The least p50 and p95 of the rounds, milliseconds."""
    rounds = [
        np.percentile([measure(q) for q in questions[i * QUESTIONS : (i + 1) * QUESTIONS]], (50, 95), axis=0)
        for i in range(ROUNDS)
    ]
    best = 1000 * np.min(rounds, axis=0)
    halves = list(enumerate(("p50", "p95")))
    return {f"{name}_{p}_ms": float(best[j][i]) for i, name in enumerate(names) for j, p in halves}


def recall(work: Path, n: int) -> dict[str, float]:
    """recall@10 of the dense search against all cosines, of the stored vectors."""
    from rag.embedders import load_embedder
    from rag.stores.faiss.exact_index import unpack
    from rag.stores.faiss.rows import read_vectors
    from rag.stores.faiss.store import FaissStore

    questions = json.loads((work / "pieces.json").read_text(encoding="utf-8"))[1][-300:]
    asked = load_embedder("bilingual").embed_queries(questions)
    store = FaissStore(_folder(work, n))
    ids, scores = np.empty((len(asked), 0), np.int64), np.empty((len(asked), 0), np.float32)
    with store._readers.transaction() as db:
        for some, data in read_vectors(db, 0):
            scores = np.hstack([scores, asked @ unpack(data, asked.shape[1]).T])
            ids = np.hstack([ids, np.broadcast_to(some, (len(asked), len(some)))])
            if scores.shape[1] > 5000:
                ids, scores = _top(ids, scores)
    exact, _ = _top(ids, scores)
    shares = [
        len({s.id for s in store.dense(vector, 100)[:10]} & set(row.tolist())) / 10
        for vector, row in zip(asked, exact, strict=True)
    ]
    return {"recall@10": float(np.mean(shares)), "recall@10_worst": min(shares)}


def _top(ids: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.argsort(-scores, axis=1)[:, :10]
    return np.take_along_axis(ids, rows, 1), np.take_along_axis(scores, rows, 1)


def change(work: Path, n: int) -> dict[str, float]:
    """One document replaced and committed, and the first search of a reader that stood open meanwhile."""
    from grown import grown

    from rag.stores.faiss.store import FaissStore
    from rag.text import search_terms
    from rag.types import Chunk

    texts, vectors = next(grown(work, 5000))
    store = FaissStore(_folder(work, n))
    store.dense(vectors[0], 10)
    store.lexical(search_terms(texts[0]), 10)
    manifest = store.manifest()
    documents = store.documents()
    assert manifest is not None
    written, read = [], []
    for i in range(9):
        source = f"{i:07}.md"
        some = slice(100 * i, 100 * i + PER_DOCUMENT)
        chunks = [Chunk(source, f"{text} {time.time()}", 0, 9, k) for k, text in enumerate(texts[some])]
        began = time.perf_counter()
        with store.write(manifest) as writer:
            writer.put(documents[source], chunks, vectors[some])
            writer.commit()
        written.append(time.perf_counter() - began)
        began = time.perf_counter()
        store.dense(vectors[i], 10)
        store.lexical(search_terms(texts[i]), 10)
        read.append(time.perf_counter() - began)
    return {
        "change_ms": 1000 * float(np.median(written)),
        "change_worst_ms": 1000 * max(written),
        "search_after_change_ms": 1000 * float(np.median(read)),
    }


def _folder(work: Path, n: int) -> Path:
    return work / f"scale-{n}"


def _weights() -> str:
    from rag.embedders import load_embedder

    return load_embedder("bilingual").weights


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


STAGES = {"build": build, "search": search, "recall": recall, "change": change}


def _measured(stage: str, work: Path, n: int) -> dict[str, float]:
    """`stage` in a process of its own."""
    options = ["--work", str(work), "--stage", stage, "--sizes", str(n)]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), *options], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    print(n, stage, {name: round(value, 3) for name, value in found.items()}, file=sys.stderr, flush=True)
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--shared", type=Path, help="folder with eval/ and files/, for the real texts")
    asked.add_argument("--work", type=Path, required=True, help="where indexes are made; kept for the next run")
    asked.add_argument("--sizes", default="10000,100000,1000000")
    asked.add_argument("--stage", choices=STAGES)
    args = asked.parse_args()
    sizes = [int(n) for n in args.sizes.split(",")]
    if args.stage:
        print(json.dumps(STAGES[args.stage](args.work, sizes[0])))
        return
    if args.shared:
        from grown import prepare

        prepare(args.shared, args.work)
    from scale_report import report

    table: dict[str, dict[str, Any]] = {}
    for n in sizes:
        built = args.work / f"scale-{n}.json"
        if not built.exists():
            built.write_text(json.dumps(_measured("build", args.work, n)), encoding="utf-8")
        found = json.loads(built.read_text(encoding="utf-8"))
        for stage in ("search", "recall", "change"):
            found |= _measured(stage, args.work, n)
        table[str(n)] = found
    report(table, HERE)


if __name__ == "__main__":
    main()
