"""Chunks to vectors to the store, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ingest.chunk import Chunker
from ingest.report import Problem
from rag.embedders import Embedder, EmbedsOnWrite
from rag.errors import EmbedderError
from rag.stores import Writer
from rag.text import TERMS, embedding_text
from rag.types import Chunk, Document, Manifest, Page, Vectors

BATCH = 512
"""Chunks that are embedded and committed together: about a second's work, which a power cut may cost."""


def manifest_for(embedder: Embedder, chunker: Chunker) -> Manifest:
    """What an index records of how it is made."""
    return Manifest(embedder.id, embedder.weights, embedder.dim, "cosine", TERMS, chunker.settings())


@dataclass(slots=True)
class Indexer:
    """Embeds documents in batches and hands them to a writer; every `flush` is one commit."""

    writer: Writer
    embedder: Embedder
    chunker: Chunker
    chunks: int = 0
    cut: list[Problem] = field(default_factory=list)
    _waiting: list[tuple[Document, list[Chunk]]] = field(default_factory=list)
    _size: int = 0

    def add(self, document: Document, pages: Iterable[Page]) -> None:
        """Take `document` in, in place of its earlier version."""
        chunks = self.chunker.split(document.source, pages)
        if document.type == "csv" and (long := _long_rows(chunks)):
            most = self.chunker.settings()["size"]
            said = (
                f"rows longer than a chunk of {most} tokens, now in several chunks: {len(long)} ({long[0]} first)"
            )
            self.cut.append({"source": document.source, "reason": said})
        self._waiting.append((replace(document, chunks=len(chunks)), chunks))
        self._size += len(chunks)
        if self._size >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Embed and commit what is waiting."""
        if not self._waiting:  # the models are not loaded for nothing
            self.writer.commit()
            return
        chunks = [chunk for _, waiting in self._waiting for chunk in waiting]
        try:
            vectors = self._embed([embedding_text(chunk) for chunk in chunks])
        except EmbedderError as exc:
            # An engine that refuses a text knows only the text: say which file it is of.
            refused = [chunk.source for chunk in chunks if embedding_text(chunk) in getattr(exc, "texts", ())]
            if refused:
                raise EmbedderError(f"{exc}, of {refused[0]}") from exc
            raise
        at = 0
        for document, chunks in self._waiting:
            self.writer.put(document, chunks, vectors[at : at + len(chunks)])
            at += len(chunks)
        self.writer.commit()
        self.chunks += at
        self._waiting.clear()
        self._size = 0

    def _embed(self, texts: list[str]) -> Vectors:
        """A row for each text; rows of nothing where the store embeds what it is given."""
        if isinstance(self.embedder, EmbedsOnWrite):
            return np.empty((len(texts), 0), np.float32)
        return self.embedder.embed_documents(texts)


def _long_rows(chunks: Sequence[Chunk]) -> list[str]:
    """The rows of a table that are in more than one chunk, by name."""
    rows = Counter(chunk.heading[-1] for chunk in chunks if chunk.heading)
    return [row for row, count in rows.items() if count > 1]
