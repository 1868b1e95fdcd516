"""Chroma: PersistentClient with its SentenceTransformerEmbeddingFunction.

Its default embedding function fetches an ONNX file from its maker's server at first use, so that the
weights could not be the same folder as everybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, Search, files, main, split

NAME = "bench"


def _collection(index: Path) -> tuple[Any, int]:
    """The collection at `index`, made if need be, and the most rows that it takes at once."""
    import chromadb
    from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction

    client = chromadb.PersistentClient(str(index), chromadb.Settings(anonymized_telemetry=False))
    embed = SentenceTransformerEmbeddingFunction(model_name=MODEL, device="cpu", normalize_embeddings=True)
    collection = client.get_or_create_collection(
        NAME, embedding_function=embed, configuration={"hnsw": {"space": "cosine"}}
    )
    return collection, client.get_max_batch_size()


class Chroma:
    def ingest(self, folder: Path, index: Path) -> int:
        chunks = [
            (f"{source}#{n}", source, piece)
            for source, text in files(folder)
            for n, piece in enumerate(split(text))
        ]
        collection, most = _collection(index)
        for at in range(0, len(chunks), most):
            ids, sources, texts = zip(*chunks[at : at + most], strict=True)
            collection.upsert(
                ids=list(ids), documents=list(texts), metadatas=[{"source": source} for source in sources]
            )
        return len(chunks)

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        collection, most = _collection(index)
        for at in range(0, len(texts), most):
            rows = slice(at, at + most)
            collection.upsert(
                ids=[str(n) for n in range(at, min(at + most, len(texts)))],
                documents=list(texts[rows]),
                metadatas=[{"source": source} for source in sources[rows]],
                embeddings=vectors[rows],
            )

    def open(self, index: Path) -> Search:
        collection, _ = _collection(index)

        def search(question: str, k: int) -> list[str]:
            found = collection.query(query_texts=[question], n_results=k, include=["documents", "metadatas"])
            return [row["source"] for row in found["metadatas"][0]]

        return search


if __name__ == "__main__":
    main(Chroma())
