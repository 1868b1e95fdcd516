"""Chunks to vectors to the store, in batches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import numpy as np

from ingest.chunk import Chunker
from ingest.report import Problem
from rag.embedders import Embedder, EmbedsForIndex, EmbedsOnWrite, EmbedsPictures
from rag.errors import EmbedderError
from rag.stores import CanPutInParts, Writer
from rag.text import TERMS, embedding_text
from rag.types import Chunk, Document, Manifest, Page, Vectors

BATCH = 512
"""Chunks that are embedded and committed together, at most."""
_FIRST, _SECONDS = 64, 2.0  # the first batch; later ones take about so long: what a power cut or Ctrl-C may cost


def manifest_for(embedder: Embedder, chunker: Chunker) -> Manifest:
    """What an index records of how it is made."""
    return Manifest(embedder.id, embedder.weights, embedder.dim, "cosine", TERMS, chunker.settings())


@dataclass(slots=True)
class Indexer:
    """Embeds documents in batches and hands them to a writer; every `flush` is one commit.

    `committed` are the documents that are in the index now; `chunks` counts what was embedded of them. A document
    of more than one batch goes to the writer piece by piece, and is visible when all of it is there.
    """

    writer: Writer
    embedder: Embedder
    chunker: Chunker
    chunks: int = 0
    cut: list[Problem] = field(default_factory=list)
    committed: list[Document] = field(default_factory=list)
    _waiting: list[tuple[Document, list[Chunk]]] = field(default_factory=list)
    _size: int = 0
    _batch: int = _FIRST

    def add(self, document: Document, pages: Iterable[Page]) -> None:
        """Take `document` in, in place of its earlier version; what `pages` raises leaves that as it is."""
        rows = _LongRows()
        chunks = rows.watch(self.chunker.chunks(document.source, pages))
        first = list(islice(chunks, BATCH + 1))
        if len(first) > BATCH and isinstance(self.writer, CanPutInParts):
            self.flush()
            self._add_in_parts(self.writer, document, chain(first, chunks))
        else:
            whole = [*first, *chunks]
            self._waiting.append((replace(document, chunks=len(whole)), whole))
            self._size += len(whole)
            if self._size >= min(self._batch, BATCH):
                self.flush()
        if document.type == "csv" and rows.long:
            most = self.chunker.settings()["size"]
            said = f"rows longer than a chunk of {most} tokens, now in several chunks"
            said = f"{said}: {rows.long} ({rows.first} first)"
            self.cut.append({"source": document.source, "reason": said})

    def flush(self) -> None:
        """Embed and commit what is waiting."""
        chunks = [chunk for _, waiting in self._waiting for chunk in waiting]
        at = 0
        if self._waiting:  # the models are not loaded for nothing
            vectors = np.concatenate([self._embed(part) for part in _batches(chunks)])
            self._look_at_pictures(vectors)
            for document, held in self._waiting:
                self.writer.put(document, held, vectors[at : at + len(held)])
                at += len(held)
        self.writer.commit()
        self.chunks += at
        self.committed += [document for document, _ in self._waiting]
        self._waiting.clear()
        self._size = 0

    def _look_at_pictures(self, vectors: Vectors) -> None:
        """Put the vectors of pictures in place of those of their names, where the embedder knows pictures."""
        if isinstance(self.embedder, EmbedsPictures):
            of = [document for document, held in self._waiting for _ in held]
            rows = [row for row, document in enumerate(of) if document.type == "image"]
            vectors[rows] = self.embedder.embed_pictures([Path(of[row].path) for row in rows])

    def _add_in_parts(self, writer: CanPutInParts, document: Document, chunks: Iterator[Chunk]) -> None:
        count = 0
        with writer.put_in_parts(document) as add:
            while part := list(islice(chunks, BATCH)):
                add(part, self._embed(part))
                count += len(part)
        self.writer.commit()
        self.chunks += count
        self.committed.append(replace(document, chunks=count))

    def _vectors(self, texts: Sequence[str]) -> Vectors:
        if isinstance(self.embedder, EmbedsForIndex):
            return self.embedder.embed_for_index(texts)
        return self.embedder.embed_documents(texts)

    def _embed(self, chunks: Sequence[Chunk]) -> Vectors:
        """A row for each chunk; rows of nothing where the store embeds what it is given."""
        if isinstance(self.embedder, EmbedsOnWrite):
            return np.empty((len(chunks), 0), np.float32)
        texts = [embedding_text(chunk) for chunk in chunks]
        began = time.perf_counter()
        try:
            vectors = self._vectors(texts)
        except EmbedderError as exc:
            # An engine that refuses a text knows only the text: say which file it is of.
            refused = [c.source for c, text in zip(chunks, texts, strict=True) if text in exc.texts]
            if refused:
                raise EmbedderError(f"{exc}, of {refused[0]}") from exc
            raise
        rate = len(chunks) / max(time.perf_counter() - began, 1e-6)
        self._batch = int(min(BATCH, max(_FIRST, rate * _SECONDS)))
        return vectors


def _batches(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    """`chunks` as they are embedded; one batch of none where there are none."""
    for at in range(0, max(len(chunks), 1), BATCH):
        yield chunks[at : at + BATCH]


class _LongRows:
    """Counts the rows of a table that are in more than one chunk."""

    def __init__(self) -> None:
        self.long, self.first = 0, ""

    def watch(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        row, count = "", 0
        for chunk in chunks:
            name = chunk.heading[-1] if chunk.heading else ""
            row, count = name, count + 1 if name == row else 1
            if name and count == 2:
                self.long += 1
                self.first = self.first or name
            yield chunk
