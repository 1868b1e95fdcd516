"""Elasticsearch 8: exact search or HNSW by size, BM25 computed by the server from our own weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

from rag.errors import IndexMissing, StoreError
from rag.stores._tuned import EXACT_IN_DATABASE
from rag.stores.common.bm25 import distinct, rarities, saturation, weights
from rag.stores.common.checks import check_query
from rag.stores.common.manifest import from_json
from rag.stores.elasticsearch.client import MOST, VERSION, State, connect, parse, translate_errors
from rag.stores.elasticsearch.pipeline import definition, simulate
from rag.stores.elasticsearch.queries import (
    filters_for,
    ranked_by_cosine,
    ranked_by_hnsw,
    ranked_by_score,
    read_chunks,
    read_consistently,
    read_rows,
    records,
)
from rag.stores.elasticsearch.writer import ElasticsearchWriter, writing
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

T = TypeVar("T")

_AT_ONCE = 500  # terms to count in one request
_FREQUENCIES_KEPT = 100_000
# Source: Robertson et al., Okapi at TREC-3 (1994). `_score` is the term's count in the chunk.
_BM25 = "params.w * _score / (_score + params.a + params.b * doc['length'].value)"


class ElasticsearchStore:
    """`rag.stores.Store` in an Elasticsearch cluster; safe in threads."""

    def __init__(self, url: str) -> None:
        self._at = parse(url)
        self._lock = threading.Lock()
        self._connected: Elasticsearch | None = None
        self._closed = False
        self._frequencies: tuple[object, dict[str, int]] = (None, {})

    @property
    def url(self) -> str:
        """The URL without its password."""
        return self._at.shown

    def manifest(self) -> Manifest | None:
        """What the index was made with; None while nothing has been written."""
        try:
            return from_json(self._read(lambda _, state: state.manifest))
        except IndexMissing:
            return None

    def documents(self) -> Mapping[str, Document]:
        """Every file in the index, by source."""
        try:
            found = self._read(lambda client, state: list(records(client, state)))
        except IndexMissing:
            return {}
        every = (Document(**record["record"]) for record in found)
        return {document.source: document for document in sorted(every, key=lambda each: each.source)}

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks nearest to `query` by cosine, best first. Raises IndexMissing, StoreError.

        Exact in an index of up to EXACT_IN_DATABASE chunks; by HNSW in a larger one.
        """

        def search(client: Elasticsearch, state: State) -> list[Scored]:
            check_query(query, from_json(state.manifest), self.url)
            if n < 1:
                return []
            near = ranked_by_cosine if state.chunks <= EXACT_IN_DATABASE else ranked_by_hnsw
            return near(client, state, query.tolist(), min(n, MOST), filters_for(state, where))

        found = self._read(search)
        return sorted(found, key=lambda scored: (-scored.score, scored.id))

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks with the best BM25 score for `terms`, best first. Raises IndexMissing."""

        def search(client: Elasticsearch, state: State) -> list[Scored]:
            keys = distinct(terms)
            weighed = weights(keys, self._count(client, state, keys), state.chunks)
            if n < 1 or not weighed:
                return []
            a, b = saturation(state.length / state.chunks)
            should = [
                {
                    "script_score": {
                        "query": {"term": {"terms": term}},
                        "script": {"source": _BM25, "params": {"w": weight, "a": a, "b": b}},
                    }
                }
                for term, weight in weighed.items()
            ]
            query = {"bool": {"filter": filters_for(state, where), "should": should, "minimum_should_match": 1}}
            return ranked_by_score(client, state, query, min(n, MOST), 0)

        return self._read(search)

    def rarities(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is among the chunks, in (0, 1]. Raises IndexMissing."""
        return self._read(
            lambda client, state: rarities(terms, self._count(client, state, distinct(terms)), state.chunks)
        )

    def _count(self, client: Elasticsearch, state: State, keys: Sequence[str]) -> Mapping[str, int]:
        """How many chunks contain each term; counts are cached until the next commit."""
        of = (state.index, state.generation)
        with self._lock:
            if self._frequencies[0] != of or len(self._frequencies[1]) > _FREQUENCIES_KEPT:
                self._frequencies = (of, {})
            known = self._frequencies[1]
        missing = [each for each in keys if each not in known]
        for i in range(0, len(missing), _AT_ONCE):
            some = missing[i : i + _AT_ONCE]
            with_term = {"filters": {"filters": [{"term": {"terms": term}} for term in some]}}
            answer = client.search(
                index=state.index, size=0, query={"bool": {"filter": state.visible()}}, aggs={"with": with_term}
            )
            counts = (bucket["doc_count"] for bucket in answer["aggregations"]["with"]["buckets"])
            with self._lock:
                known.update(zip(some, counts, strict=True))
        return known

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in that order.

        Raises IndexMissing, and StoreError if a chunk is gone (replaced since the search that found it).
        """
        found = self._read(lambda client, state: read_chunks(client, state, ids))
        if gone := [chunk for chunk in ids if chunk not in found]:
            raise StoreError(
                f"the index {self.url} changed while it was searched (chunk {gone[0]} is gone): ask again"
            )
        return [found[chunk] for chunk in ids]

    def rows(self, source: str) -> tuple[Document, list[Chunk], Vectors]:
        """A document with its chunks and their vectors. Raises StoreError if it is not there."""
        return self._read(lambda client, state: read_rows(client, state, source, self.url))

    def write(self, manifest: Manifest) -> AbstractContextManager[ElasticsearchWriter]:
        """The only writer of the index. Raises IndexLocked, EmbedderMismatch, IndexVersion, StoreError."""
        return writing(self._at, manifest)

    def rebuild(self, manifest: Manifest) -> AbstractContextManager[ElasticsearchWriter]:
        """The writer of a new index that replaces this one, in one step, when it closes without an error.

        `manifest` may differ from the present one. Until then readers see the present index.
        """
        return writing(self._at, manifest, rebuild=True)

    @property
    def pipeline(self) -> str:
        """The ingest pipeline of the URL, which makes the vectors; "" for none."""
        return self._at.pipeline

    def definition(self) -> str:
        """The definition of the URL's pipeline as JSON. Raises StoreError, also if there is none."""
        with translate_errors(self._at):
            return definition(self._client(), self._at)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors that the URL's pipeline computes for `texts`, rows of unit length. Raises StoreError."""
        with translate_errors(self._at):
            return simulate(self._client(), self._at, texts)

    def statistics(self) -> dict[str, int | str]:
        """What `rag status` shows: counts, bytes on disk, how vectors are searched. Raises IndexMissing."""

        def gather(client: Elasticsearch, state: State) -> dict[str, int | str]:
            query = {"bool": {"filter": state.visible("document")}}
            total = client.indices.stats(index=state.index, metric="store")["_all"]["total"]
            return {
                "documents": client.count(index=state.index, query=query)["count"],
                "chunks": state.chunks,
                "bytes": total["store"]["size_in_bytes"],
                "vectors": "exact, float32" if state.chunks <= EXACT_IN_DATABASE else "HNSW",
                "generation": state.generation,
                "format": VERSION,
            }

        return self._read(gather)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._closed = True
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def _client(self) -> Elasticsearch:
        with self._lock:
            if self._closed:
                raise StoreError(f"the index {self.url} has been closed: open it again")
            if self._connected is None:
                self._connected = connect(self._at)
            return self._connected

    def _read(self, work: Callable[[Elasticsearch, State], T]) -> T:
        """The result of `work` on one state of the index; it is repeated if a commit comes in between."""
        return read_consistently(self._client(), self._at, work)
