"""Copy an index from one engine to another without embedding again, and compare searches on both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rag.errors import IndexMissing, StoreError
from rag.stores import CanDump, Store
from rag.text import chunk_terms
from rag.types import Chunk, Document, Manifest, Scored, Vector

__all__ = ["Copied", "copy"]

BATCH = 1000
"""Chunks written in one commit."""

_SEEN = 10  # hits of a search to compare
_NEAR = 0.002  # allowed difference between two scores of one chunk: a store may keep float16
_FOUND = 0.9  # mean share of the source's nearest chunks that an approximate search of the target must find


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a copy: documents and chunks in the target, and the number of searches compared.

    `already` documents were there before; `dense` is the mean share of the source's nearest chunks that the
    target finds too.
    """

    documents: int
    chunks: int
    already: int
    searches: int
    dense: float


def copy(
    source: Store, target: Store, sample: int = 20, progress: Callable[[int, int], None] | None = None
) -> Copied:
    """Make `target`, new or begun by an earlier copy, the same index as `source`; then compare `sample` searches.

    `progress` is called with the documents done and all. An interrupted copy continues after its last commit.
    Raises IndexMissing, EmbedderMismatch, IndexLocked, and StoreError if `source` cannot give its vectors,
    `target` contains other documents, or the searches differ.
    """
    if not isinstance(source, CanDump):
        raise StoreError(f"the vectors of {source.url} cannot be read out: ingest the documents again instead")
    manifest = source.manifest()
    if manifest is None:
        raise IndexMissing(source.url)
    wanted = source.documents()
    already = _fill(source, target, manifest, wanted, progress)
    _check_documents(wanted, target)
    searches, dense = _compare(source, target, _spread(list(wanted.values()), sample))
    return Copied(len(wanted), sum(each.chunks for each in wanted.values()), already, searches, dense)


def _fill(
    source: CanDump,
    target: Store,
    manifest: Manifest,
    wanted: Mapping[str, Document],
    progress: Callable[[int, int], None] | None,
) -> int:
    """Write the documents that `target` lacks; returns how many it had."""
    with target.write(manifest) as writer:
        there = target.documents()
        if strangers := sorted(set(there) - set(wanted)):
            raise StoreError(f"{target.url} holds {strangers[0]}, which is not to be copied: copy to a new index")
        missing = [name for name, document in wanted.items() if there.get(name) != document]
        waiting = 0
        for done, name in enumerate(missing, len(wanted) - len(missing) + 1):
            document, chunks, vectors = source.rows(name)
            if document != wanted[name]:
                raise StoreError(f"{name} changed while it was copied: run the command again")
            writer.put(document, chunks, vectors)
            waiting += len(chunks)
            if waiting >= BATCH:
                writer.commit()
                waiting = 0
            if progress is not None:
                progress(done, len(wanted))
        writer.commit()
    return len(wanted) - len(missing)


def _check_documents(wanted: Mapping[str, Document], target: Store) -> None:
    there = target.documents()
    if dict(there) != dict(wanted):
        lost = sum(there.get(name) != document for name, document in wanted.items())
        raise StoreError(f"{lost} of {len(wanted)} documents are not as they were in {target.url}: copy once more")


def _spread(documents: Sequence[Document], n: int) -> list[str]:
    """Up to `n` sources with chunks, evenly spread over all."""
    full = [document.source for document in documents if document.chunks]
    return [full[i * len(full) // min(n, len(full))] for i in range(min(n, len(full)))] if full else []


def _compare(source: Store, target: Store, names: Sequence[str]) -> tuple[int, float]:
    """The number of searches compared, and the mean share of nearest chunks found by both. Raises StoreError."""
    shares: list[float] = []
    for name in names:
        _, chunks, vectors = source.rows(name)  # type: ignore[attr-defined]
        middle = len(chunks) // 2
        _check_lexical(source, target, chunks[middle])
        shares.append(_share(source, target, vectors[middle]))
    mean = float(np.mean(shares)) if shares else 1.0
    if mean < _FOUND:
        raise StoreError(
            f"{target.url} finds {mean:.0%} of the nearest chunks that {source.url} finds, "
            f"in {len(names)} searches: do not use the copy"
        )
    return 2 * len(names), mean


def _check_lexical(source: Store, target: Store, chunk: Chunk) -> None:
    terms = chunk_terms(chunk)
    before, after = (store.lexical(terms, _SEEN) for store in (source, target))
    same = len(before) == len(after) and all(
        abs(a.score - b.score) <= _NEAR for a, b in zip(before, after, strict=True)
    )
    if not same or (before and _places(target, after).keys().isdisjoint(_places(source, before))):
        raise StoreError(
            f"{target.url} does not find the words of {chunk.source} as {source.url} does: copy once more"
        )


def _share(source: Store, target: Store, query: Vector) -> float:
    """The share of the nearest chunks of `source` that `target` finds too; ties count as found."""
    before = _places(source, source.dense(query, _SEEN))
    hits = target.dense(query, _SEEN)
    after = _places(target, hits)
    lowest = min((hit.score for hit in hits), default=-1.0)
    found = sum(place in after or score <= lowest + _NEAR for place, score in before.items())
    return found / len(before) if before else 1.0


def _places(store: Store, hits: Sequence[Scored]) -> dict[tuple[str, int], float]:
    """Scores by (source, position), which identify a chunk in any store."""
    chunks = store.chunks([hit.id for hit in hits])
    return {(chunk.source, chunk.position): hit.score for chunk, hit in zip(chunks, hits, strict=True)}
