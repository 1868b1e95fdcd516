"""The writer of an index in Elasticsearch. A commit writes one document: see `client.State`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rag.errors import StoreError
from rag.stores.common.bm25 import key
from rag.stores.common.checks import check_text, check_vectors
from rag.stores.common.manifest import check_same, check_terms, from_json, to_json
from rag.stores.elasticsearch.client import Address, State, connect, read_state, translate_errors
from rag.stores.elasticsearch.lease import Lease, leased
from rag.stores.elasticsearch.mappings import chunk_index
from rag.stores.elasticsearch.pipeline import definition
from rag.stores.elasticsearch.queries import records
from rag.text import chunk_terms, embedding_text
from rag.types import Chunk, Document, Manifest, Vectors

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_FLUSH = 256  # chunks that wait before they are sent
_MOST_BYTES = 20_000_000  # of one request
_DECIMALS = 9  # of a vector's numbers in JSON: finer than float32 in a unit vector
_LONG = 600  # seconds for long operations of the server


@contextmanager
def writing(at: Address, manifest: Manifest, rebuild: bool = False) -> Iterator[ElasticsearchWriter]:
    """The writer of the index, which is created if it is not there; see `rag.stores.Store.write`."""
    check_terms(manifest, at.shown)
    client = connect(at)
    try:
        with translate_errors(at):
            before = read_state(client, at)
            if before is not None and not rebuild:
                check_same(from_json(before[0].manifest), manifest, at.shown)
        with _leased(client, at) as lease:
            writer = ElasticsearchWriter(client, at, manifest, lease)
            try:
                writer.begin(rebuild)
                yield writer
                writer.finish()
            finally:
                writer.close()
    finally:
        client.close()


@contextmanager
def _leased(client: Elasticsearch, at: Address) -> Iterator[Lease]:
    with translate_errors(at):
        context = leased(client, at)
        lease = context.__enter__()
    try:
        yield lease
    finally:
        context.__exit__(None, None, None)


class ElasticsearchWriter:
    """`rag.stores.Writer` on Elasticsearch. After an error it accepts nothing more.

    Chunks are sent as they come, with document numbers that no reader uses yet. A commit refreshes the index and
    writes the state, which makes them visible and the removed ones invisible; those are then deleted. What a
    killed writer leaves has numbers above those of the state, and the next writer deletes it.
    """

    def __init__(self, client: Elasticsearch, at: Address, manifest: Manifest, lease: Lease) -> None:
        self._client = client
        self._at = at
        self._manifest = manifest
        self._lease = lease
        self._state = State("", to_json(manifest))
        self._version: dict[str, int] | None = None  # of the state as last read or written
        self._replaced = ""  # the index that a rebuild replaces
        self._rebuild = False
        self._begun = self._published = False
        self._held: dict[str, tuple[int, int, int]] = {}  # source → number, chunks, length in terms
        self._open = self._state  # the state that the next commit writes
        self._dead: list[int] = []
        self._waiting: list[dict[str, Any]] = []
        self._changed = self._failed = False

    def begin(self, rebuild: bool = False) -> None:
        """Read the state, delete what a killed writer left, and create the index if it is not there."""
        with self._step():
            found = read_state(self._client, self._at)
            if self._at.pipeline:
                definition(self._client, self._at)
            if found is not None:
                self._state, self._version = found
                self._published = not rebuild
            self._drop_orphans()
            if found is not None and not rebuild:
                self._resume()
            else:
                self._make(rebuild)
            self._open, self._begun = self._state, True

    def _resume(self) -> None:
        check_same(from_json(self._state.manifest), self._manifest, self._at.shown)
        self._purge()
        for each in records(self._client, self._state):
            self._held[each["source"]] = (each["document"], each["record"]["chunks"], each["length"])

    def _make(self, rebuild: bool) -> None:
        """A new index of chunks, invisible before `_publish`; its ids continue after the old index's."""
        self._rebuild, self._replaced = rebuild, self._state.index
        index = f"{self._at.name}-{uuid.uuid4().hex[:8]}"
        self._client.indices.create(index=index, **chunk_index(self._at.name, self._manifest.dim))
        self._state = replace(
            self._state, index=index, manifest=to_json(self._manifest), chunks=0, length=0, dead=()
        )
        self._changed = True

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add `document`, replacing an earlier one of the same source. Rows of `vectors` match `chunks`.

        With a pipeline `vectors` are ignored: the server computes them from the field `passage`.
        Raises StoreError for vectors of another shape or not of unit length, and for text that no file can
        contain; then nothing has changed.
        """
        check_text(document, chunks)
        if not self._at.pipeline:
            check_vectors(document.source, len(chunks), vectors, self._manifest, self._at.shown)
        terms = [list(map(key, chunk_terms(chunk))) for chunk in chunks]
        with self._step():
            self._take_out(document.source)
            number, first, length = self._open.document, self._open.next, sum(map(len, terms))
            common = {"document": number, "source": document.source, "type": document.type}
            record = asdict(replace(document, chunks=len(chunks)))
            self._send(f"d{number}", {**common, "kind": "document", "length": length, "record": record})
            for i, chunk in enumerate(chunks):
                fields = _fields(chunk, terms[i]) | common | {"kind": "chunk", "id": first + i}
                if self._at.pipeline:
                    self._send(
                        f"c{first + i}", {**fields, "passage": embedding_text(chunk)}, pipeline=self._at.pipeline
                    )
                else:
                    numbers = vectors[i].astype(float).round(_DECIMALS).tolist()
                    self._send(f"c{first + i}", {**fields, "vector": numbers})
            self._held[document.source] = (number, len(chunks), length)
            self._grow(len(chunks), length, document=number + 1, next=first + len(chunks))

    def remove(self, sources: Iterable[str]) -> int:
        """Remove these sources; returns how many of them were there."""
        with self._step():
            return sum(map(self._take_out, dict.fromkeys(sources)))

    def commit(self) -> None:
        """Make all changes since the last commit visible to readers, in one step that survives a power cut.

        In a rebuild this happens at `finish`.
        """
        if not (self._failed or self._changed):
            return
        with self._step():
            self._flush()
            self._client.indices.refresh(index=self._state.index)
            if self._at.pipeline:
                self._check_pipeline()
            self._lease.check()
            self._state = replace(self._open, generation=self._open.generation + 1, dead=tuple(self._dead))
            if not self._rebuild:
                self._publish()
            if self._state.dead:
                self._purge()
            self._open, self._changed = self._state, False
            self._dead.clear()

    def finish(self) -> None:
        """After a rebuild, replace the old index by the new one."""
        if not self._rebuild or self._failed:
            return
        self.commit()
        with self._step():
            self._publish()
            self._rebuild = False
            if self._replaced:
                self._client.indices.delete(index=self._replaced, ignore_unavailable=True)

    def close(self) -> None:
        """Delete what was not committed if the server can be reached; otherwise the next writer does it."""
        if not self._begun:
            return
        with suppress(Exception):
            if self._published:
                if self._changed:
                    self._purge()
            else:
                self._client.indices.delete(index=self._state.index, ignore_unavailable=True)

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A step that is done completely; otherwise the writer has failed."""
        if self._failed:
            raise StoreError(f"writing to the index {self._at.shown} failed before: run the command again")
        try:
            with translate_errors(self._at):
                yield
        except BaseException:
            self._failed = True
            raise

    def _take_out(self, source: str) -> int:
        """Remove a document; returns 1 if it was there, else 0."""
        if (held := self._held.pop(source, None)) is None:
            return 0
        number, chunks, length = held
        self._dead.append(number)
        self._grow(-chunks, -length)
        return 1

    def _grow(self, chunks: int, length: int, **numbers: Any) -> None:
        now = self._open
        self._open = replace(now, chunks=now.chunks + chunks, length=now.length + length, **numbers)
        self._changed = True

    def _send(self, key: str, fields: dict[str, Any], **options: str) -> None:
        action = {"_op_type": "index", "_index": self._state.index, "_id": key, "_source": fields, **options}
        self._waiting.append(action)
        if len(self._waiting) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        from elasticsearch.helpers import bulk

        if self._waiting:
            self._lease.check()
            # If queues are full (429) we wait; sending an action twice does no harm.
            bulk(self._client, self._waiting, chunk_size=_FLUSH, max_chunk_bytes=_MOST_BYTES, max_retries=6)
            self._waiting.clear()

    def _publish(self) -> None:
        """Write the state: this is the commit. The alias lets other programs find the index."""
        if not self._published:
            actions: list[dict[str, Any]] = [{"add": {"index": self._state.index, "alias": self._at.name}}]
            if self._replaced:
                actions.append({"remove": {"index": self._replaced, "alias": self._at.name, "must_exist": False}})
            self._client.indices.update_aliases(actions=actions)
        self._write_state()
        self._published = True

    def _write_state(self) -> None:
        """Write the state. Fails if another writer has written it meanwhile, so that the lock was lost."""
        condition: dict[str, Any] = self._version or {"op_type": "create"}
        answer = self._client.index(
            index=self._at.control, id="state", document=self._state.to_json(), **condition
        )
        self._version = {"if_seq_no": answer["_seq_no"], "if_primary_term": answer["_primary_term"]}

    def _purge(self) -> None:
        """Delete what is not visible: removed documents, and those that a writer sent and did not commit."""
        self._client.indices.refresh(index=self._state.index)
        kept = [{"bool": {"filter": self._state.visible(kind)}} for kind in ("chunk", "document")]
        gone = {"bool": {"must_not": kept}}
        self._client.options(request_timeout=_LONG).delete_by_query(
            index=self._state.index, query=gone, conflicts="proceed", refresh=True
        )
        if self._state.dead:
            self._state = replace(self._state, dead=())
            if not self._rebuild:
                self._write_state()

    def _drop_orphans(self) -> None:
        """Delete the indexes of writers that were killed before their first commit."""
        ours = re.compile(re.escape(self._at.name) + "-[0-9a-f]{8}")
        found = self._client.indices.get_mapping(index=f"{self._at.name}-*")
        for index, held in found.items():
            named = held["mappings"].get("_meta", {}).get("name")
            if ours.fullmatch(index) and named == self._at.name and index != self._state.index:
                self._client.indices.delete(index=index)

    def _check_pipeline(self) -> None:
        query = {"bool": {"filter": [{"term": {"kind": "chunk"}}], "must_not": [{"exists": {"field": "vector"}}]}}
        if bare := self._client.count(index=self._state.index, query=query)["count"]:
            raise StoreError(
                f"the ingest pipeline {self._at.pipeline} left {bare} chunks without a vector: "
                "it must make the field `vector` of the field `embedding_text`"
            )


def _fields(chunk: Chunk, terms: Sequence[str]) -> dict[str, Any]:
    shown = ("text", "start", "end", "position", "page", "heading", "place")
    found = {
        "terms": " ".join(terms),
        "length": len(terms),
        "chunk": {name: getattr(chunk, name) for name in shown},
    }
    return found if chunk.page is None else {**found, "page": chunk.page}
