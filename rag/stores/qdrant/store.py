"""An index in Qdrant: one collection, a point for each chunk with a dense and a sparse vector.

The sparse vector has the hashes of the chunk's terms as indices and their saturated counts as values, so
that its product with the question's weights is BM25 for a fixed mean length; `rag.stores.engine.store` makes it
exact. Points without vectors hold the documents, the frequencies of terms, the state and the claims.
"""

from __future__ import annotations

import uuid
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from rag.stores._tuned import EF
from rag.stores.common.address import Address, parse
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, unpack
from rag.stores.engine.store import EngineStore
from rag.stores.qdrant.connection import UnexpectedResponse, check_version, connect, models, translate_errors
from rag.stores.qdrant.schema import (
    CHUNK,
    DENSE,
    SPARSE,
    between,
    create_collection,
    create_indexes,
    equals,
    find_dim,
    to_chunk,
    to_filter,
    to_point,
)
from rag.types import Chunk, Vector

_STATE = str(uuid.uuid5(uuid.NAMESPACE_URL, "ragstone:state"))
_AT_ONCE = 64  # points in one request: a vector of 1,024 numbers is some 20 kB of JSON
_PAGE = 1000  # records read at once


class QdrantStore(EngineStore):
    """`rag.stores.Store` at ``qdrant://[:key@]host:6333/name[?tls=1]``; the key also from QDRANT_API_KEY."""

    def __init__(self, url: str) -> None:
        address = parse(url, 6333, r"[\w.-]{1,200}", ("tls",))
        super().__init__(Qdrant(address), address.shown if address.password else url)


class Qdrant:
    """`rag.stores.engine.protocol.Engine` on a collection."""

    kind = "HNSW, float32"
    slack = 1.0

    def __init__(self, address: Address) -> None:
        self._address = address
        self._name = address.name
        self._client = connect(address)
        self._checked = False

    def state(self) -> str | None:
        with translate_errors(self._address):
            self._check_version()
            try:
                found = self._client.retrieve(self._name, [_STATE])
            except UnexpectedResponse as error:
                if error.status_code == 404:
                    return None
                raise
            if found:
                return str((found[0].payload or {})["body"])
            self._dim()
            return None

    def set_state(self, text: str) -> None:
        self._put([models.PointStruct(id=_STATE, vector={}, payload={"kind": "state", "body": text})])

    def create(self, dim: int) -> bool:
        with translate_errors(self._address):
            self._check_version()
            if not self._client.collection_exists(self._name):
                try:
                    create_collection(self._client, self._name, dim)
                except UnexpectedResponse as error:
                    if error.status_code != 409:  # another process created it at the same moment
                        raise
            there = self._dim()
            create_indexes(self._client, self._name)
        return there == dim

    def _dim(self) -> int:
        return find_dim(self._client, self._name, self._address.server)

    def _check_version(self) -> None:
        if not self._checked:
            check_version(self._client, self._address)
            self._checked = True

    def drop(self) -> None:
        with translate_errors(self._address):
            self._client.delete_collection(self._name)

    def claims(self) -> dict[str, str]:
        return {str(p["owner"]): str(p["body"]) for p in self._scroll([equals("kind", "claim")])}

    def claim(self, owner: str, text: str | None) -> None:
        point = str(uuid.UUID(owner))
        if text is not None:
            payload = {"kind": "claim", "owner": owner, "body": text}
            self._put([models.PointStruct(id=point, vector={}, payload=payload)])
            return
        with translate_errors(self._address):
            self._client.delete(self._name, models.PointIdsList(points=[point]), wait=True)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        self._put([to_point(row) for row in rows])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._put([
            models.PointStruct(id=number, vector={}, payload={"kind": kind, "number": number, "body": body})
            for number, body in records.items()
        ])  # fmt: skip

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found = self._scroll([equals("kind", kind), between("number", first, last)])
        return {int(p["number"]): str(p["body"]) for p in found}

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        conditions = [between("number", first, last) for first, last in ranges]
        with translate_errors(self._address):
            selector = models.FilterSelector(filter=models.Filter(should=list(conditions)))
            self._client.delete(self._name, selector, wait=True)

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        params = models.SearchParams(exact=exact, hnsw_ef=None if exact else max(EF, 2 * n))
        return self._query(query.tolist(), DENSE, n, among, params)

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        vector = models.SparseVector(indices=list(weights), values=list(weights.values()))
        return self._query(vector, SPARSE, n, among, None)

    def _query(
        self, vector: Any, using: str, n: int, among: EngineFilter, params: models.SearchParams | None
    ) -> ScoredNumbers:
        with translate_errors(self._address):
            found = self._client.query_points(
                self._name, vector, using=using, limit=n, query_filter=to_filter(among), search_params=params,
                with_payload=False,
            )  # fmt: skip
        return [(int(point.id), float(point.score)) for point in found.points]

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: to_chunk(held) for number, held in self._retrieve(numbers, CHUNK).items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        found = self._retrieve(numbers, ["counts"])
        return {number: unpack(b64decode(held["counts"])) for number, held in found.items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        found: dict[int, Vector] = {}
        with translate_errors(self._address):
            for i in range(0, len(numbers), _PAGE):
                ids = [int(each) for each in numbers[i : i + _PAGE]]
                points = self._client.retrieve(self._name, ids, with_payload=False, with_vectors=[DENSE])
                for point in points:
                    if isinstance(point.vector, dict) and DENSE in point.vector:
                        found[int(point.id)] = np.array(point.vector[DENSE], np.float32)
        return found

    def _retrieve(self, numbers: Sequence[int], fields: list[str]) -> dict[int, dict[str, Any]]:
        """These fields of the chunks with these numbers."""
        with translate_errors(self._address):
            found = self._client.retrieve(self._name, [int(each) for each in numbers], with_payload=fields)
        return {int(point.id): point.payload for point in found if point.payload}

    def optimise(self) -> None:
        """Nothing to do: searches are fast without it."""

    def close(self) -> None:
        self._client.close()

    def _put(self, points: Sequence[models.PointStruct]) -> None:
        with translate_errors(self._address):
            for i in range(0, len(points), _AT_ONCE):
                self._client.upsert(self._name, list(points[i : i + _AT_ONCE]), wait=True)

    def _scroll(self, must: list[Any]) -> Iterator[dict[str, Any]]:
        """The payloads of all points that match `must`."""
        after: Any = None
        while True:
            with translate_errors(self._address):
                points, after = self._client.scroll(
                    self._name, models.Filter(must=must), limit=_PAGE, offset=after, with_payload=True
                )
            yield from (point.payload for point in points if point.payload)
            if after is None:
                return
