"""LangChain: DirectoryLoader, RecursiveCharacterTextSplitter, HuggingFaceEmbeddings, FAISS.

`incremental` uses its indexing API with a record manager, which has to be asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.common import MODEL, SIZE, SUFFIXES, Search, main, units


def _embeddings() -> Any:
    from langchain_huggingface import HuggingFaceEmbeddings

    return HuggingFaceEmbeddings(
        model_name=MODEL, model_kwargs={"device": "cpu"}, encode_kwargs={"normalize_embeddings": True}
    )


def _documents(folder: Path) -> list[Any]:
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    globs = [f"**/*{suffix}" for suffix in SUFFIXES]
    loader = DirectoryLoader(str(folder), glob=globs, loader_cls=TextLoader, loader_kwargs={"encoding": "utf-8"})
    splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=0, length_function=units)
    return splitter.split_documents(loader.load())


class LangChain:
    def ingest(self, folder: Path, index: Path) -> int:
        from langchain_community.vectorstores import FAISS

        documents = _documents(folder)
        FAISS.from_documents(documents, _embeddings()).save_local(str(index))
        return len(documents)

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        from langchain_community.vectorstores import FAISS

        store = FAISS.from_embeddings(
            zip(texts, vectors, strict=True), _embeddings(), [{"source": source} for source in sources]
        )
        store.save_local(str(index))

    def open(self, index: Path) -> Search:
        from langchain_community.vectorstores import FAISS

        # Its format holds a pickle; this index was written by `ingest` above.
        store = FAISS.load_local(str(index), _embeddings(), allow_dangerous_deserialization=True)
        return lambda question, k: [found.metadata["source"] for found in store.similarity_search(question, k)]


class Incremental(LangChain):
    def ingest(self, folder: Path, index: Path) -> int:
        import faiss
        from langchain_classic.indexes import SQLRecordManager
        from langchain_community.docstore.in_memory import InMemoryDocstore
        from langchain_community.vectorstores import FAISS
        from langchain_core.indexing import index as bring_in_step

        embeddings = _embeddings()
        if index.exists():
            store = FAISS.load_local(str(index), embeddings, allow_dangerous_deserialization=True)
        else:
            store = FAISS(embeddings, faiss.IndexFlatL2(384), InMemoryDocstore(), {})
            index.mkdir(parents=True)
        records = SQLRecordManager("faiss/bench", db_url=f"sqlite:///{index}/records.sqlite")
        records.create_schema()
        documents = _documents(folder)
        bring_in_step(documents, records, store, cleanup="full", source_id_key="source", key_encoder="sha256")
        store.save_local(str(index))
        return len(documents)


if __name__ == "__main__":
    main(Incremental() if sys.argv.pop(1) == "incremental" else LangChain())
