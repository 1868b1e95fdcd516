"""Checks of what is written to any store: text that can be stored, vectors that are the embedder's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rag.errors import StoreError
from rag.types import Chunk, Document, Manifest, Vector, Vectors

_OFF_UNIT = 0.01  # how far a vector's length may be from 1


def encodable(text: str) -> bool:
    """Whether `text` is valid Unicode (no half of a surrogate pair) without NUL."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def check_text(document: Document, chunks: Sequence[Chunk]) -> None:
    """Raise StoreError unless the names and texts of `document` can be written."""
    whole = (document.source, document.path, *(text for c in chunks for text in (c.text, *c.heading)))
    if not all(map(encodable, whole)):
        raise StoreError(
            f"the name or the text of {document.source!a} has a character that is not Unicode text: "
            "rename the file, or save it as UTF-8"
        )


def check_vectors(source: str, chunks: int, vectors: Vectors, manifest: Manifest, url: str) -> None:
    """Raise StoreError unless `vectors` has one row of unit length for each chunk of `source`."""
    if not chunks:
        return
    expected = (chunks, manifest.dim)
    if vectors.shape != expected:
        raise StoreError(
            f"the vectors of {source} have the shape {vectors.shape} and the index {url} "
            f"takes {expected}: use the embedder {manifest.embedder}"
        )
    off = np.abs(np.linalg.norm(vectors, axis=-1) - 1)
    if not (off < _OFF_UNIT).all():  # false for NaN too
        raise StoreError(
            f"a vector of {source} has a length that is {off[np.argmax(off)]:.3f} away from 1: "
            f"the embedder {manifest.embedder} is at fault"
        )


def check_query(query: Vector, manifest: Manifest, url: str) -> None:
    """Raise StoreError unless `query` has the size of the index's vectors."""
    if query.shape != (manifest.dim,):
        raise StoreError(
            f"the question's vector has the shape {query.shape} and the index {url} "
            f"holds vectors of {manifest.dim}: use --embedder {manifest.embedder}"
        )
