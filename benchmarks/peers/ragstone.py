"""ragstone itself, where its command line does not do: warm questions, and an index of given vectors.

The ingest and the cold question that are measured are the real commands `rag ingest` and `rag search`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.peers.common import Search, main


class Ragstone:
    def __init__(self, embedder: str) -> None:
        self.vectors = embedder

    def ingest(self, folder: Path, index: Path) -> int:
        from rag.api import RAG

        with RAG.open(f"faiss:{index}", embedder=self.vectors, llm="none") as rag:
            return rag.ingest(folder).chunks

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        from ingest.chunk import chunker_for
        from ingest.indexer import BATCH, manifest_for
        from rag.config import Settings
        from rag.embedders import load_embedder
        from rag.stores import open_store
        from rag.types import Chunk, Document

        embedder = load_embedder(self.vectors)
        manifest = manifest_for(embedder, chunker_for(embedder, Settings()))
        store = open_store(f"faiss:{index}")
        at = committed = 0
        with store.write(manifest) as writer:
            for source, rows in groupby(zip(sources, texts, strict=True), key=lambda row: row[0]):
                chunks = [Chunk(source, text, 0, len(text), n) for n, (_, text) in enumerate(rows)]
                document = Document(source, source, source, 0, 0, "text", len(chunks))
                writer.put(document, chunks, vectors[at : at + len(chunks)])
                at += len(chunks)
                if at - committed >= BATCH:
                    writer.commit()
                    committed = at
            writer.commit()
        store.close()

    def open(self, index: Path) -> Search:
        from rag.api import RAG

        rag = RAG.open(f"faiss:{index}", llm="none")
        return lambda question, k: [hit.chunk.source for hit in rag.search(question, k)]


if __name__ == "__main__":
    main(Ragstone(sys.argv.pop(1)))
