"""Copy an index to another engine, or to another embedder, without reading files; and compare searches on both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rag.errors import IndexMissing, StoreError
from rag.stores import CanDump, Store
from rag.stores._tuned import FOUND, NEAR_SCORES
from rag.text import TERMS, chunk_terms, embedding_text
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors

__all__ = ["Anew", "Copied", "copy"]

BATCH = 1000
"""Chunks written in one commit."""

_SEEN = 10  # hits of a search to compare


@dataclass(frozen=True, slots=True)
class Anew:
    """Another embedder for the copy: its name, its weights and its width, and texts to vectors."""

    embedder: str
    weights: str
    dim: int
    embed: Callable[[Sequence[str]], Vectors]

    def of(self, chunks: Sequence[Chunk]) -> Vectors:
        """A row for each of `chunks`."""
        parts = [
            self.embed([embedding_text(c) for c in chunks[at : at + BATCH]]) for at in range(0, len(chunks), BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a copy: documents and chunks in the target, and the number of searches compared.

    `already` documents were there before; `dense` is the mean share of the source's nearest chunks that the
    target finds too or, with another embedder, the share of chunks that the target finds by their own text.
    """

    documents: int
    chunks: int
    already: int
    searches: int
    dense: float


def copy(
    source: Store,
    target: Store,
    sample: int = 20,
    progress: Callable[[int, int], None] | None = None,
    anew: Anew | None = None,
) -> Copied:
    """Make `target`, new or begun by an earlier copy, the same index as `source`; then compare `sample` searches.

    With `anew`, the text in the index is embedded again. The terms of the copy are always those of this version.
    `progress` is called with the documents done and all. An interrupted copy continues after its last commit.
    Raises IndexMissing, EmbedderMismatch, IndexLocked, and StoreError if `source` cannot give its vectors,
    `target` contains other documents, or the searches differ.
    """
    if not isinstance(source, CanDump):
        raise StoreError(f"the vectors of {source.url} cannot be read out: ingest the documents again instead")
    held = source.manifest()
    if held is None:
        raise IndexMissing(source.url)
    made = replace(held, terms=TERMS)
    if anew is not None:
        made = replace(made, embedder=anew.embedder, weights=anew.weights, dim=anew.dim)
    wanted = source.documents()
    already = _fill(source, target, made, wanted, anew, progress)
    _check_documents(wanted, target)
    chosen = _spread(list(wanted.values()), sample)
    searches, dense = _compare(source, target, chosen, held.terms == TERMS, anew)
    return Copied(len(wanted), sum(each.chunks for each in wanted.values()), already, searches, dense)


def _fill(
    source: CanDump,
    target: Store,
    made: Manifest,
    wanted: Mapping[str, Document],
    anew: Anew | None,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Write the documents that `target` lacks; returns how many it had."""
    with target.write(made) as writer:
        there = target.documents()
        if strangers := sorted(set(there) - set(wanted)):
            raise StoreError(f"{target.url} holds {strangers[0]}, which is not to be copied: copy to a new index")
        missing = [document for name, document in wanted.items() if there.get(name) != document]
        done = len(wanted) - len(missing)
        for batch in _batches(source, missing):
            vectors = anew.of([c for _, chunks, _ in batch for c in chunks]) if anew else None
            at = 0
            for document, chunks, old in batch:
                writer.put(document, chunks, old if vectors is None else vectors[at : at + len(chunks)])
                at += len(chunks)
            writer.commit()
            done += len(batch)
            if progress is not None:
                progress(done, len(wanted))
        writer.commit()
    return len(wanted) - len(missing)


def _batches(
    source: CanDump, documents: Sequence[Document]
) -> Iterator[list[tuple[Document, list[Chunk], Vectors]]]:
    """`documents` as they are read, as many at a time as have BATCH chunks."""
    waiting: list[tuple[Document, list[Chunk], Vectors]] = []
    for wanted in documents:
        document, chunks, vectors = source.rows(wanted.source)
        if document != wanted:
            raise StoreError(f"{wanted.source} changed while it was copied: run the command again")
        waiting.append((document, chunks, vectors))
        if sum(len(each) for _, each, _ in waiting) >= BATCH:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _check_documents(wanted: Mapping[str, Document], target: Store) -> None:
    there = target.documents()
    if dict(there) != dict(wanted):
        lost = sum(there.get(name) != document for name, document in wanted.items())
        raise StoreError(f"{lost} of {len(wanted)} documents are not as they were in {target.url}: copy once more")


def _spread(documents: Sequence[Document], n: int) -> list[str]:
    """Up to `n` sources with chunks, evenly spread over all."""
    full = [document.source for document in documents if document.chunks]
    return [full[i * len(full) // min(n, len(full))] for i in range(min(n, len(full)))] if full else []


def _compare(
    source: Store, target: Store, names: Sequence[str], same_terms: bool, anew: Anew | None
) -> tuple[int, float]:
    """The number of searches compared, and the mean share of nearest chunks found by both. Raises StoreError."""
    shares: list[float] = []
    for name in names:
        _, chunks, vectors = source.rows(name)  # type: ignore[attr-defined]
        middle = len(chunks) // 2
        if same_terms:
            _check_lexical(source, target, chunks[middle])
        shares.append(
            _finds_itself(target, chunks[middle], anew) if anew else _share(source, target, vectors[middle])
        )
    mean = float(np.mean(shares)) if shares else 1.0
    if mean < FOUND:
        raise StoreError(
            f"{target.url} finds {mean:.0%} of the nearest chunks that {source.url} finds, "
            f"in {len(names)} searches: do not use the copy"
        )
    return len(names) * (2 if same_terms else 1), mean


def _finds_itself(target: Store, chunk: Chunk, anew: Anew) -> float:
    """1 where `target` has `chunk` among the nearest to its own vector, or others as near."""
    hits = target.dense(anew.of([chunk])[0], _SEEN)
    found = (chunk.source, chunk.position) in _places(target, hits)
    return float(found or (len(hits) == _SEEN and hits[-1].score >= 1 - NEAR_SCORES))


def _check_lexical(source: Store, target: Store, chunk: Chunk) -> None:
    terms = chunk_terms(chunk)
    before, after = (store.lexical(terms, _SEEN) for store in (source, target))
    same = len(before) == len(after) and all(
        abs(a.score - b.score) <= NEAR_SCORES for a, b in zip(before, after, strict=True)
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
    found = sum(place in after or score <= lowest + NEAR_SCORES for place, score in before.items())
    return found / len(before) if before else 1.0


def _places(store: Store, hits: Sequence[Scored]) -> dict[tuple[str, int], float]:
    """Scores by (source, position), which identify a chunk in any store."""
    chunks = store.chunks([hit.id for hit in hits])
    return {(chunk.source, chunk.position): hit.score for chunk, hit in zip(chunks, hits, strict=True)}
