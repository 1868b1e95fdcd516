"""Haystack: TextFileToDocument, DocumentSplitter, the sentence-transformers embedders, InMemoryDocumentStore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, SUFFIXES, Search, main, split

STORE = "store.json"


def _device() -> Any:
    from haystack.utils import ComponentDevice

    return ComponentDevice.from_str("cpu")


class Haystack:
    def ingest(self, folder: Path, index: Path) -> int:
        from haystack import Pipeline
        from haystack.components.converters import TextFileToDocument
        from haystack.components.preprocessors import DocumentSplitter
        from haystack.components.writers import DocumentWriter
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersDocumentEmbedder,
        )

        store = InMemoryDocumentStore(embedding_similarity_function="dot_product")
        line = Pipeline()
        line.add_component("read", TextFileToDocument(store_full_path=True))
        line.add_component(
            "split",
            DocumentSplitter(split_by="function", splitting_function=split, split_length=1, split_overlap=0),
        )
        line.add_component(
            "embed",
            SentenceTransformersDocumentEmbedder(
                model=MODEL, device=_device(), normalize_embeddings=True, progress_bar=False
            ),
        )
        line.add_component("write", DocumentWriter(store))
        for one, following in (("read", "split"), ("split", "embed"), ("embed", "write")):
            line.connect(one, following)
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES]
        done = line.run({"read": {"sources": paths}})
        index.mkdir(parents=True)
        store.save_to_disk(str(index / STORE))
        return int(done["write"]["documents_written"])

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        from haystack import Document
        from haystack.document_stores.in_memory import InMemoryDocumentStore

        store = InMemoryDocumentStore(embedding_similarity_function="dot_product")
        rows = zip(texts, sources, vectors.tolist(), strict=True)
        store.write_documents(
            [Document(content=text, meta={"file_path": source}, embedding=row) for text, source, row in rows]
        )
        index.mkdir(parents=True)
        store.save_to_disk(str(index / STORE))

    def open(self, index: Path) -> Search:
        from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
        from haystack.document_stores.in_memory import InMemoryDocumentStore
        from haystack_integrations.components.embedders.sentence_transformers import (
            SentenceTransformersTextEmbedder,
        )

        embedder = SentenceTransformersTextEmbedder(
            model=MODEL, device=_device(), normalize_embeddings=True, progress_bar=False
        )
        embedder.warm_up()
        retriever = InMemoryEmbeddingRetriever(InMemoryDocumentStore.load_from_disk(str(index / STORE)))

        def search(question: str, k: int) -> list[str]:
            vector = embedder.run(text=question)["embedding"]
            found = retriever.run(query_embedding=vector, top_k=k)["documents"]
            return [document.meta["file_path"] for document in found]

        return search


if __name__ == "__main__":
    main(Haystack())
