"""An index as points: every passage with its vector, read document by document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rag.errors import IndexMissing, SpaceError, StoreError
from rag.stores import CanDump, Store
from rag.types import Chunk, Document, Vectors, Where

__all__ = ["Points", "mean_vectors", "read_points"]


@dataclass(frozen=True, slots=True)
class Points:
    """Passages and their vectors, row by row; `documents` are those that the passages are of, by source."""

    chunks: Sequence[Chunk]
    vectors: Vectors
    documents: Mapping[str, Document]

    def __len__(self) -> int:
        return len(self.chunks)


def read_points(
    store: Store,
    where: Where | None = None,
    least: int = 1,
    progress: Callable[[int, int], None] | None = None,
    together: bool = False,
) -> Points:
    """The passages that `where` lets through, in order of source and position.

    `together` moves pictures, which CLIP's models set apart, among the texts. `progress` is told
    the documents read, of all. Raises IndexMissing, StoreError where the store does not give its vectors,
    SpaceError where there are fewer than `least` passages.
    """
    if not isinstance(store, CanDump):
        raise StoreError(
            f"the vectors of {store.url} cannot be read out: "
            "ingest the documents into another index, as faiss:FOLDER"
        )
    manifest = store.manifest()
    if manifest is None:
        raise IndexMissing(store.url)
    where = where or Where()
    wanted = {s: d for s, d in sorted(store.documents().items()) if d.chunks and where.lets_through(s, d.type)}
    vectors = np.empty((sum(document.chunks for document in wanted.values()), manifest.dim), np.float32)
    chunks: list[Chunk] = []
    for done, source in enumerate(wanted, 1):
        _, some, rows = store.rows(source)
        kept = [i for i, chunk in enumerate(some) if _on_pages(where, chunk)]
        if len(chunks) + len(kept) > len(vectors):
            raise StoreError(f"the index {store.url} changed while it was read ({source}): run the command again")
        vectors[len(chunks) : len(chunks) + len(kept)] = rows[kept]
        chunks.extend(some[i] for i in kept)
        if progress is not None:
            progress(done, len(wanted))
    if len(chunks) < least:
        raise SpaceError(
            f"{len(chunks)} passages are too few, this needs {least} or more: "
            "ingest more documents, or ask for more of them with --source"
        )
    vectors = vectors[: len(chunks)]
    if together and manifest.embedder.startswith("clip:"):
        vectors = _together(vectors, np.array([wanted[chunk.source].type == "image" for chunk in chunks]))
    return Points(chunks, vectors, wanted)


def _together(vectors: Vectors, pictures: npt.NDArray[np.bool_]) -> Vectors:
    """Pictures and texts around one middle. Source: Liang et al. 2022, "Mind the Gap"."""
    if pictures.all() or not pictures.any():
        return vectors
    moved = vectors.copy()
    for some in (pictures, ~pictures):
        moved[some] -= vectors[some].mean(axis=0)
    return unit(moved)


def _on_pages(where: Where, chunk: Chunk) -> bool:
    return where.pages is None or (chunk.page is not None and where.pages[0] <= chunk.page <= where.pages[1])


def mean_vectors(points: Points) -> tuple[list[str], Vectors]:
    """The sources in order, and for each the mean of its passages' vectors, of unit length."""
    sources = list(dict.fromkeys(chunk.source for chunk in points.chunks))
    row = {source: i for i, source in enumerate(sources)}
    of = np.array([row[chunk.source] for chunk in points.chunks], np.int64)
    firsts = np.flatnonzero(np.diff(of, prepend=-1))  # passages lie in order of source
    sums = np.add.reduceat(points.vectors, firsts, axis=0)
    return sources, unit(sums)


def unit(vectors: Vectors) -> Vectors:
    """`vectors` with rows of unit length; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled
