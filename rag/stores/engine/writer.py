"""The one writer of an index on an engine without transactions: its lease, and what it commits."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace

import numpy as np

from rag.errors import StoreError
from rag.stores.common import bm25
from rag.stores.common.checks import check_text, check_vectors
from rag.stores.common.manifest import check_same, check_terms
from rag.stores.engine.frequencies import Segment, add_segments, segment, term_hash, to_parts
from rag.stores.engine.lease import Lease
from rag.stores.engine.protocol import Engine, Row
from rag.stores.engine.ranges import merged
from rag.stores.engine.records import read_segment, visible_documents
from rag.stores.engine.state import State, from_text, to_text
from rag.text import chunk_terms
from rag.types import Chunk, Document, Manifest, Vector, Vectors

_BATCH = 256  # chunks sent at once
_DEAD_KEPT = 64  # ranges that readers skip; more are deleted at a commit, all of them at the end
_BEYOND = 2**53  # above every number: JSON keeps integers exact up to here


@contextmanager
def writing(engine: Engine, manifest: Manifest, url: str) -> Iterator[EngineWriter]:
    """The writer of the index on `engine`, which is created if it is not there; see `rag.stores.Store.write`."""
    check_terms(manifest, url)
    held = engine.state()
    if held is not None:
        check_same(from_text(held, url).manifest, manifest, url)
    fits = engine.create(manifest.dim)
    with Lease(engine, url) as lease:
        writer = EngineWriter(engine, manifest, url, lease)
        writer.begin(fits)
        try:
            yield writer
        finally:
            writer.close()


class EngineWriter:
    """`rag.stores.Writer`: new records are added from `state.next` on; writing the new state commits them."""

    def __init__(self, engine: Engine, manifest: Manifest, url: str, lease: Lease) -> None:
        self._engine = engine
        self._manifest = manifest
        self._url = url
        self._lease = lease
        self._state = State(uuid.uuid4().hex, manifest)
        self._began = 0
        self._kept: dict[int, Segment] = {}
        self._held: dict[str, tuple[int, Document]] = {}
        self._failed = self._changed = False
        self._start()

    def _start(self) -> None:
        """Forget what was put and removed since the last commit."""
        self._next = self._state.next
        self._chunks = self._length = 0
        self._pending: list[tuple[int, Chunk, str, Vector, Counter[int]]] = []
        self._records: dict[int, str] = {}
        self._dead: list[tuple[int, int]] = []
        self._counts: Counter[int] = Counter()
        self._changed = False

    def begin(self, fits: bool = True) -> None:
        """Read the last commit as the only writer, and delete what a killed writer left."""
        text = self._engine.state()
        if text is not None:
            self._state = from_text(text, self._url)
            check_same(self._state.manifest, self._manifest, self._url)
        elif not fits:  # a writer with another embedder was killed before its first commit
            self._engine.drop()
            self._engine.create(self._manifest.dim)
            self._lease.renew()
        self._purge(unseen=True)
        self._held = visible_documents(self._engine, self._state)
        self._start()
        self._began = self._state.generation
        self._changed = text is None

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add `document`, replacing an earlier one of the same source. Rows of `vectors` match `chunks`.

        Raises StoreError for vectors of another shape or not of unit length, and for text that cannot be
        written; then nothing has changed.
        """
        check_text(document, chunks)
        check_vectors(document.source, len(chunks), vectors, self._manifest, self._url)
        with self._step():
            self._delete(document.source)
            number = self._next
            held = replace(document, chunks=len(chunks))
            for i, chunk in enumerate(chunks):
                counts = Counter(term_hash(bm25.key(term)) for term in chunk_terms(chunk))
                vector = np.ascontiguousarray(vectors[i], np.float32)
                self._pending.append((number + 1 + i, chunk, document.type, vector, counts))
                self._count(counts, counts.total(), 1)
            self._records[number] = json.dumps(asdict(held), ensure_ascii=False)
            self._held[document.source] = number, held
            self._next += len(chunks) + 1
            self._changed = True
            if len(self._pending) >= _BATCH:
                self._flush()

    def remove(self, sources: Iterable[str]) -> int:
        """Remove these sources; returns how many of them were there."""
        with self._step():
            return sum(self._delete(source) for source in dict.fromkeys(sources))

    def commit(self) -> None:
        """Make all changes since the last commit visible to readers, in one step that survives a power cut."""
        if not (self._changed or self._failed):
            return
        with self._step():
            self._flush()
            state = self._state
            fresh = replace(
                self._merge_frequencies(state),
                generation=state.generation + 1,
                chunks=state.chunks + self._chunks,
                length=state.length + self._length,
                dead=merged([*state.dead, *self._dead]),
            )
            fresh = replace(fresh, next=self._next)
            self._still_alone()
            self._engine.set_state(to_text(fresh))
            self._state = fresh
            self._start()
            if max(len(fresh.dead), len(fresh.stale)) > _DEAD_KEPT:
                self._purge()

    def _still_alone(self) -> None:
        """Raise StoreError if another process has written since the last commit."""
        self._lease.check()
        text = self._engine.state()
        there = from_text(text, self._url) if text else None
        if (there.generation if there else 0) != self._state.generation or (
            there is not None and there.name != self._state.name
        ):
            raise StoreError(
                f"another process wrote to the index {self._url} meanwhile: run the command again; "
                "what was committed is safe"
            )

    def close(self) -> None:
        """Undo what was not committed; if nothing ever was, no index is left.

        After a failure the next writer does that: a commit may have arrived although its answer did not.
        """
        if self._failed:
            return
        with suppress(StoreError):
            self._lease.check()
            self._purge(unseen=self._changed)
            if self._state.generation > self._began:
                self._engine.optimise()
            if not self._state.generation:
                self._lease.release()
                self._engine.drop()

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A step that is done completely; otherwise the writer has failed and accepts nothing more."""
        if self._failed:
            raise StoreError(f"writing to the index {self._url} failed before: run the command again")
        try:
            yield
        except BaseException:
            self._failed = True
            raise

    def _count(self, hashes: Iterable[int], length: int, sign: int) -> None:
        self._chunks += sign
        self._length += sign * length
        for each in hashes:
            self._counts[each] += sign

    def _delete(self, source: str) -> int:
        """Remove a document; returns 1 if it was there, else 0."""
        if (held := self._held.pop(source, None)) is None:
            return 0
        number, document = held
        self._flush()
        found = self._engine.counts(range(number + 1, number + 1 + document.chunks))
        if len(found) != document.chunks:
            raise StoreError(
                f"the index {self._url} is damaged ({source} lacks {document.chunks - len(found)} chunks): "
                "ingest the documents again into a new index"
            )
        for hashes, counts in found.values():
            self._count(hashes.tolist(), int(counts.sum()), -1)
        self._dead.append((number, number + document.chunks))
        self._changed = True
        return 1

    def _flush(self) -> None:
        """Send the waiting records, documents last; nothing is visible yet."""
        if not self._state.pivot:
            self._state = replace(self._state, pivot=max(self._length / max(self._chunks, 1), 1.0))
        for i in range(0, len(self._pending), _BATCH):
            self._lease.check()
            self._engine.add_chunks([_row(*each, self._state.pivot) for each in self._pending[i : i + _BATCH]])
        if self._records:
            self._engine.add_records("document", self._records)
        self._pending, self._records = [], {}

    def _merge_frequencies(self, state: State) -> State:
        """`state` with a new segment for the changes; segments of similar size are merged.

        So the number of segments, and how often a count is written, grows with the logarithm of the size.
        """
        fresh = segment(self._counts)
        if not len(fresh):
            return state
        rows, stale, join = list(state.segments), list(state.stale), [fresh]
        while rows and rows[-1][2] <= 2 * sum(map(len, join)):
            first, last, _ = rows.pop()
            held = self._kept.pop(first, None)
            join.append(held if held is not None else read_segment(self._engine, first, last, self._url))
            stale.append((first, last))
        whole = add_segments(join)
        if len(whole):
            parts = to_parts(whole)
            first = self._next
            self._engine.add_records("segment", {first + i: part for i, part in enumerate(parts)})
            self._kept[first] = whole
            rows.append((first, first + len(parts) - 1, len(whole)))
            self._next += len(parts)
        return replace(state, segments=tuple(rows), stale=merged(stale))

    def _purge(self, unseen: bool = False) -> None:
        """Delete what no reader sees: dead records, and with `unseen` those that were not committed."""
        state = self._state
        gone = [*state.dead, *state.stale, *([(state.next, _BEYOND)] if unseen else [])]
        if not gone:
            return
        self._engine.delete(gone)
        if state.dead or state.stale:
            self._state = replace(state, dead=(), stale=())
            self._engine.set_state(to_text(self._state))


def _row(number: int, chunk: Chunk, kind: str, vector: Vector, counts: Counter[int], pivot: float) -> Row:
    hashes = np.array(sorted(counts), np.uint32)
    held = np.array([counts[each] for each in hashes.tolist()], np.float32)
    return Row(number, chunk, kind, vector, hashes, held, pivot)
