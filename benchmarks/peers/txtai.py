"""txtai: hybrid embeddings (its own mean pooling, Faiss and BM25) with content in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, Search, files, main, split

WINDOW = 256
"""Its own default is the tokenizer's 512; the model was trained with 256, which is what the others use."""


def _empty() -> Any:
    from txtai import Embeddings

    return Embeddings(path=MODEL, hybrid=True, content=True, maxlength=WINDOW, gpu=False)


def _documents(texts: Sequence[str], sources: Sequence[str]) -> list[tuple[str, str, None]]:
    return [(f"{source}#{n}", text, None) for n, (text, source) in enumerate(zip(texts, sources, strict=True))]


class Txtai:
    def ingest(self, folder: Path, index: Path) -> int:
        chunks = [(source, piece) for source, text in files(folder) for piece in split(text)]
        embeddings = _empty()
        embeddings.index(_documents([piece for _, piece in chunks], [source for source, _ in chunks]))
        embeddings.save(str(index))
        return len(chunks)

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        import numpy as np

        known = dict(zip(texts, vectors, strict=True))
        embeddings = _empty()
        embeddings.model.encode = lambda data, category=None: np.array([known[text] for text in data])  # noqa: ARG005
        embeddings.index(_documents(texts, sources))
        embeddings.save(str(index))

    def open(self, index: Path) -> Search:
        from txtai import Embeddings

        embeddings = Embeddings()
        embeddings.load(str(index))
        return lambda question, k: [
            found["id"].rpartition("#")[0] for found in embeddings.search(question, k) if found["id"]
        ]


if __name__ == "__main__":
    main(Txtai())
