"""Searches in Elasticsearch: functions of a client and one state of an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rag.errors import StoreError
from rag.stores._tuned import EF_ELASTICSEARCH
from rag.stores.common.glob import regex
from rag.stores.common.manifest import from_json
from rag.stores.elasticsearch.client import MOST, Address, State, committed, translate_errors
from rag.types import Chunk, Document, Scored, Vectors, Where

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

T = TypeVar("T")

_TRIES = 10  # of a search while commits come in between
_AT_ONCE = 500  # chunks in one request
_PAGE = 5000  # documents in one answer


def read_consistently(client: Elasticsearch, at: Address, work: Callable[[Elasticsearch, State], T]) -> T:
    """The result of `work`, which reads one single state of the index. Raises IndexMissing, StoreError."""
    import elasticsearch

    with translate_errors(at):
        for _ in range(_TRIES):
            state = committed(client, at)
            gone = None
            try:
                found = work(client, state)
            except elasticsearch.NotFoundError as error:  # a rebuild has deleted the index
                gone = error
            now = committed(client, at)
            if (now.index, now.generation) == (state.index, state.generation):
                if gone is not None:
                    raise gone
                return found
    raise StoreError(f"the index {at.shown} changes faster than it can be searched: ask again")


def records(client: Elasticsearch, state: State) -> Iterator[dict[str, Any]]:
    """The records of all committed documents, in order of their numbers."""
    after: list[int] | None = None
    while True:
        hits = client.search(
            index=state.index, size=_PAGE, query={"bool": {"filter": state.visible("document")}},
            sort=[{"document": "asc"}], search_after=after, track_total_hits=False,
        )["hits"]["hits"]  # fmt: skip
        yield from (hit["_source"] for hit in hits)
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]


def ranked_by_score(
    client: Elasticsearch, state: State, query: dict[str, Any], n: int, shift: float
) -> list[Scored]:
    hits = client.search(
        index=state.index, size=n, query=query, sort=[{"_score": "desc"}, {"id": "asc"}],
        source=False, track_total_hits=False,
    )["hits"]["hits"]  # fmt: skip
    return [Scored(hit["sort"][1], hit["_score"] - shift) for hit in hits]


def ranked_by_cosine(
    client: Elasticsearch, state: State, query: list[float], n: int, through: list[dict[str, Any]]
) -> list[Scored]:
    script = {"source": "cosineSimilarity(params.q, 'vector') + 1.0", "params": {"q": query}}
    every = {"bool": {"filter": [*through, {"exists": {"field": "vector"}}]}}
    return ranked_by_score(client, state, {"script_score": {"query": every, "script": script}}, n, 1.0)


def ranked_by_hnsw(
    client: Elasticsearch, state: State, query: list[float], n: int, through: list[dict[str, Any]]
) -> list[Scored]:
    knn = {
        "field": "vector",
        "query_vector": query,
        "k": n,
        "num_candidates": min(max(2 * n, EF_ELASTICSEARCH), MOST),
    }
    hits = client.search(
        index=state.index, size=n, knn={**knn, "filter": through},
        source=False, docvalue_fields=[{"field": "id"}], track_total_hits=False,
    )["hits"]["hits"]  # fmt: skip
    return [Scored(hit["fields"]["id"][0], 2 * hit["_score"] - 1) for hit in hits]  # the score is (1 + cosine) / 2


def filters_for(state: State, where: Where | None) -> list[dict[str, Any]]:
    """The filters for the committed chunks that match `where`."""
    filters = state.visible()
    if where is None:
        return filters
    if where.source is not None:
        filters.append({"regexp": {"source": {"value": regex(where.source), "flags": "NONE"}}})
    if where.exclude:
        filters.append({"bool": {"must_not": {"terms": {"source": sorted(where.exclude)}}}})
    if where.type is not None:
        filters.append({"term": {"type": where.type}})
    if where.pages is not None:
        filters.append({"range": {"page": {"gte": where.pages[0], "lte": where.pages[1]}}})
    return filters


def read_chunks(client: Elasticsearch, state: State, ids: Sequence[int]) -> dict[int, Chunk]:
    found: dict[int, Chunk] = {}
    dead = set(state.dead)
    for i in range(0, len(ids), _AT_ONCE):
        keys = [f"c{int(each)}" for each in ids[i : i + _AT_ONCE]]
        for doc in client.mget(index=state.index, ids=keys)["docs"]:
            if "error" not in doc and doc["found"] and _is_visible(doc["_source"]["document"], state, dead):
                found[doc["_source"]["id"]] = _chunk(doc["_source"])
    return found


def _is_visible(document: int, state: State, dead: set[int]) -> bool:
    return document < state.document and document not in dead


def _chunk(held: Mapping[str, Any]) -> Chunk:
    return Chunk(source=held["source"], **{**held["chunk"], "heading": tuple(held["chunk"]["heading"])})


def read_rows(client: Elasticsearch, state: State, source: str, url: str) -> tuple[Document, list[Chunk], Vectors]:
    of_source = {"term": {"source": source}}
    query = {"bool": {"filter": [*state.visible("document"), of_source]}}
    hits = client.search(index=state.index, size=1, query=query)["hits"]["hits"]
    if not hits:
        raise StoreError(f"there is no {source} in the index {url}")
    chunks: list[Chunk] = []
    vectors: list[list[float]] = []
    after: list[int] | None = None
    while after is None or len(hits) == _AT_ONCE:
        hits = client.search(
            index=state.index, size=_AT_ONCE, query={"bool": {"filter": [*state.visible(), of_source]}},
            sort=[{"id": "asc"}], search_after=after, source=True,
            script_fields={"vector": {"script": "doc['vector'].vectorValue"}},
        )["hits"]["hits"]  # fmt: skip
        chunks.extend(_chunk(hit["_source"]) for hit in hits)
        vectors.extend(hit["fields"]["vector"] for hit in hits)
        after = hits[-1]["sort"] if hits else [0]
    dim = from_json(state.manifest).dim
    record = client.search(index=state.index, size=1, query=query)["hits"]["hits"][0]["_source"]["record"]
    found = np.array(vectors, np.float32).reshape(len(chunks), dim)
    found /= np.linalg.norm(found, axis=1, keepdims=True)  # vectors of a pipeline may have any length
    return Document(**record), chunks, found
