"""LlamaIndex: SimpleDirectoryReader, SentenceSplitter, HuggingFaceEmbedding, and a vector store.

`faiss` keeps the vectors in Faiss, `own` in its default store (a JSON file), and `incremental` is an
IngestionPipeline with a document store, which has to be asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, SUFFIXES, Search, main

TOKENS = 256
DIM = 384


def _embedding() -> Any:
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding

    return HuggingFaceEmbedding(model_name=MODEL, device="cpu")


def _documents(folder: Path) -> list[Any]:
    from llama_index.core import SimpleDirectoryReader

    reader = SimpleDirectoryReader(str(folder), recursive=True, required_exts=list(SUFFIXES), filename_as_id=True)
    return reader.load_data()


def _splitter() -> Any:
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0)


class LlamaIndex:
    def __init__(self, store: str) -> None:
        self._store = store

    def ingest(self, folder: Path, index: Path) -> int:
        from llama_index.core import Settings

        Settings.embed_model = _embedding()
        nodes = _splitter().get_nodes_from_documents(_documents(folder))
        self._save(nodes, index)
        return len(nodes)

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        from llama_index.core import Settings
        from llama_index.core.schema import TextNode

        Settings.embed_model = _embedding()
        rows = zip(texts, sources, vectors.tolist(), strict=True)
        self._save(
            [TextNode(text=text, metadata={"file_path": source}, embedding=row) for text, source, row in rows],
            index,
        )

    def _save(self, nodes: list[Any], index: Path) -> None:
        from llama_index.core import StorageContext, VectorStoreIndex

        options = {}
        if self._store == "faiss":
            import faiss
            from llama_index.vector_stores.faiss import FaissVectorStore

            options["vector_store"] = FaissVectorStore(faiss_index=faiss.IndexFlatIP(DIM))
        made = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(**options))
        made.storage_context.persist(str(index))

    def open(self, index: Path) -> Search:
        from llama_index.core import Settings, StorageContext, load_index_from_storage

        Settings.embed_model = _embedding()
        options = {}
        if self._store == "faiss":
            from llama_index.vector_stores.faiss import FaissVectorStore

            options["vector_store"] = FaissVectorStore.from_persist_dir(str(index))
        loaded = load_index_from_storage(StorageContext.from_defaults(persist_dir=str(index), **options))

        def search(question: str, k: int) -> list[str]:
            found = loaded.as_retriever(similarity_top_k=k).retrieve(question)
            return [hit.node.metadata["file_path"] for hit in found]

        return search


class Incremental(LlamaIndex):
    def ingest(self, folder: Path, index: Path) -> int:
        from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
        from llama_index.core.storage.docstore import SimpleDocumentStore
        from llama_index.core.vector_stores import SimpleVectorStore

        vectors, again = index / "vectors.json", index.exists()
        store = SimpleVectorStore.from_persist_path(str(vectors)) if again else SimpleVectorStore()
        pipeline = IngestionPipeline(
            transformations=[_splitter(), _embedding()],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=store,
        )
        if again:
            pipeline.load(str(index))
        nodes = pipeline.run(documents=_documents(folder))
        pipeline.persist(str(index))
        store.persist(str(vectors))
        return len(nodes)


if __name__ == "__main__":
    kind = sys.argv.pop(1)
    main(Incremental(kind) if kind == "incremental" else LlamaIndex(kind))
