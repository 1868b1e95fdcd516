"""The floor: sentence-transformers and faiss.IndexFlatIP, with nothing around them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, Search, files, main, split


class Floor:
    def ingest(self, folder: Path, index: Path) -> int:
        from sentence_transformers import SentenceTransformer

        chunks = [(source, piece) for source, text in files(folder) for piece in split(text)]
        sources, texts = [source for source, _ in chunks], [piece for _, piece in chunks]
        vectors = SentenceTransformer(MODEL, device="cpu").encode(texts, normalize_embeddings=True)
        self.build(texts, sources, vectors, index)
        return len(texts)

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        import faiss

        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(vectors)
        index.mkdir(parents=True)
        faiss.write_index(flat, str(index / "index.faiss"))
        rows = [{"source": source, "text": text} for source, text in zip(sources, texts, strict=True)]
        (index / "chunks.json").write_text(json.dumps(rows), encoding="utf-8")

    def open(self, index: Path) -> Search:
        import faiss
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(MODEL, device="cpu")
        flat = faiss.read_index(str(index / "index.faiss"))
        rows = json.loads((index / "chunks.json").read_text(encoding="utf-8"))

        def search(question: str, k: int) -> list[str]:
            _, ids = flat.search(model.encode([question], normalize_embeddings=True), k)
            return [rows[i]["source"] for i in ids[0] if i >= 0]

        return search


if __name__ == "__main__":
    main(Floor())
