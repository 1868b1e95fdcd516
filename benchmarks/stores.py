"""Every store with the same chunks: how fast they are written, how fast and how well they are found again.

    python benchmarks/stores.py --chunks 100000 faiss:/tmp/bench qdrant://localhost/bench ...

Each URL must name an index that does not exist yet; one engine is measured at a time. Vectors are those of
the sample documents, made once by the default embedder, each with noise of its own: no time goes into
embedding. Texts are words drawn from the sample documents. Prints one row of a table for each URL.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rag import RAG
from rag.stores import Store, open_store
from rag.text import TERMS, search_terms
from rag.types import Chunk, Document, Manifest, Vectors

DOCS = Path(__file__).parents[1] / "data" / "docs"
PER_DOCUMENT = 50
COMMIT = 2000
NOISE = 0.7  # the length of the noise beside a vector of length 1
QUERIES = 100


def base(folder: Path) -> tuple[Vectors, list[str]]:
    """Vectors and texts of the sample documents, kept in `folder`."""
    kept = folder / "base.npz"
    if not kept.exists():
        with RAG.open(f"faiss:{folder / 'base'}", embedder="bilingual", llm="none") as rag:
            rag.ingest(DOCS)
            rows = [rag.store.rows(source) for source in rag.store.documents()]  # type: ignore[attr-defined]
        texts = [chunk.text for _, chunks, _ in rows for chunk in chunks]
        np.savez(kept, vectors=np.concatenate([vectors for *_, vectors in rows]), texts=np.array(texts))
    with np.load(kept) as held:
        return held["vectors"], held["texts"].tolist()


def noisy(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    """The vectors with noise, of unit length again."""
    noise = rng.standard_normal(vectors.shape, np.float32)
    moved = vectors + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    scaled: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def documents(
    vectors: Vectors, texts: list[str], rng: np.random.Generator
) -> Iterator[tuple[Document, list[Chunk], Vectors]]:
    """Documents of fifty chunks: half a real text each, and words of another."""
    for number, start in enumerate(range(0, len(vectors), PER_DOCUMENT)):
        source = f"{number}.md"
        chunks = []
        for i in range(min(PER_DOCUMENT, len(vectors) - start)):
            first, second = (texts[each] for each in rng.integers(0, len(texts), 2))
            text = f"{first[: len(first) // 2]} {second[len(second) // 2 :]}"
            chunks.append(Chunk(source, text, 0, len(text), i, None, (f"Part {i}",)))
        document = Document(source, f"/{source}", f"{number:064x}", 1, 1, "md", len(chunks))
        yield document, chunks, vectors[start : start + len(chunks)]


def write(store: Store, vectors: Vectors, texts: list[str]) -> float:
    """Fill `store`; chunks a second."""
    began = time.perf_counter()
    with store.write(Manifest("bench", "w", vectors.shape[1], terms=TERMS)) as writer:
        waiting = 0
        for each in documents(vectors, texts, np.random.default_rng(2)):
            writer.put(*each)
            waiting += len(each[1])
            if waiting >= COMMIT:
                writer.commit()
                waiting = 0
        writer.commit()
    return len(vectors) / (time.perf_counter() - began)


def search(store: Store, vectors: Vectors, texts: list[str]) -> tuple[float, float, float]:
    """Milliseconds of a dense and of a lexical search (medians), and recall@10 of the dense one."""
    rng = np.random.default_rng(3)
    asked = noisy(vectors[rng.integers(0, len(vectors), QUERIES)], rng)
    order = list(order_of(store))
    store.dense(asked[0], 10)  # what is loaded at the first search is not a search
    store.lexical(search_terms(texts[0][:40]), 10)
    dense, lexical, found = [], [], 0
    for query in asked:
        began = time.perf_counter()
        hits = store.dense(query, 10)
        dense.append(time.perf_counter() - began)
        best = set(np.argpartition(-(vectors @ query), 10)[:10].tolist())
        chunks = store.chunks([hit.id for hit in hits])
        found += len(best & {order[int(c.source[:-3])] + c.position for c in chunks})
    for number in rng.integers(0, len(texts), QUERIES):
        words = search_terms(texts[number][:40])
        began = time.perf_counter()
        store.lexical(words, 10)
        lexical.append(time.perf_counter() - began)
    return 1000 * statistics.median(dense), 1000 * statistics.median(lexical), found / (10 * QUERIES)


def order_of(store: Store) -> Iterator[int]:
    """The row at which each document's vectors begin."""
    yield from range(0, PER_DOCUMENT * len(store.documents()), PER_DOCUMENT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("urls", nargs="+")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "ragstone-bench")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    real, texts = base(options.folder)
    rng = np.random.default_rng(1)
    vectors = noisy(real[rng.integers(0, len(real), options.chunks)], rng)
    print("| engine | chunks/s | dense p50 ms | lexical p50 ms | recall@10 |\n|---|---|---|---|---|")
    for url in options.urls:
        store = open_store(url)
        if store.manifest() is not None:
            sys.exit(f"there is an index at {store.url}: name one that does not exist yet")
        rate = write(store, vectors, texts)
        dense, lexical, recall = search(store, vectors, texts)
        scheme = url.partition(":")[0]
        print(f"| {scheme} | {rate:,.0f} | {dense:.1f} | {lexical:.1f} | {recall:.3f} |", flush=True)
        figures = {
            "chunks": len(vectors),
            "rate": rate,
            "dense_ms": dense,
            "lexical_ms": lexical,
            "recall": recall,
        }
        with (options.folder / "stores.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps({"engine": scheme, **figures}) + "\n")
        store.close()


if __name__ == "__main__":
    main()
