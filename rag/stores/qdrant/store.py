"""An index in Qdrant: one collection, a point for each chunk with a dense and a sparse vector.

The sparse vector has the hashes of the chunk's terms as indices and their saturated counts as values, so
that its product with the question's weights is BM25 for a fixed mean length; `rag.stores.engine.store` makes it
exact. Points without vectors hold the documents, the frequencies of terms, the state and the claims.
"""

from __future__ import annotations

import json
import os
import uuid
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from rag.errors import MissingExtra, StoreError
from rag.stores.common.address import Address, parse
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, pack, unpack
from rag.stores.engine.store import EngineStore
from rag.types import Chunk, Vector

try:
    import httpx
    from qdrant_client import QdrantClient, models
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
except ImportError as error:
    raise MissingExtra("a store in Qdrant", "qdrant-client", "qdrant") from error

_DENSE, _SPARSE = "ragstone_dense", "ragstone_terms"
_STATE = str(uuid.uuid5(uuid.NAMESPACE_URL, "ragstone:state"))
_CHUNK = ["source", "text", "start", "end", "position", "page", "heading", "place"]  # as in `Chunk`
_AT_ONCE = 64  # points in one request: a vector of 1,024 numbers is some 20 kB of JSON
_PAGE = 1000  # records read at once
_OLDEST = (1, 10)  # `points/query`, and sparse vectors without an index of their own settings
_EF = 256  # candidates of the graph search
_SECONDS = 60


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
        with warnings.catch_warnings():  # a key without TLS is the choice of the user who wrote the address
            warnings.filterwarnings("ignore", "Api key is used")
            self._client = QdrantClient(
                url=f"{'https' if address.flag('tls') else 'http'}://{address.server}",
                api_key=address.password or os.environ.get("QDRANT_API_KEY") or None,
                timeout=_SECONDS,
                check_compatibility=False,  # it only warns; `_check_version` raises an error
            )
        self._checked = False

    def state(self) -> str | None:
        with self._translate_errors():
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
        with self._translate_errors():
            self._check_version()
            if not self._client.collection_exists(self._name):
                try:
                    self._create(dim)
                except UnexpectedResponse as error:
                    if error.status_code != 409:  # another process created it at the same moment
                        raise
            there = self._dim()
            for field, kind in (
                ("number", "integer"),
                ("page", "integer"),
                ("type", "keyword"),
                ("kind", "keyword"),
            ):
                schema = models.PayloadSchemaType(kind)
                self._client.create_payload_index(self._name, field, field_schema=schema)
        return there == dim

    def _create(self, dim: int) -> None:
        self._client.create_collection(
            self._name,
            # Rows have unit length: the dot product is the cosine, and nothing is normalised again.
            vectors_config={_DENSE: models.VectorParams(size=dim, distance=models.Distance.DOT)},
            sparse_vectors_config={_SPARSE: models.SparseVectorParams()},
            hnsw_config=models.HnswConfigDiff(m=16, ef_construct=128),
        )

    def _dim(self) -> int:
        """The dimension of the collection. Raises StoreError unless it is an index made by ragstone."""
        params = self._client.get_collection(self._name).config.params
        dense = params.vectors.get(_DENSE) if isinstance(params.vectors, dict) else None
        if dense is None or _SPARSE not in (params.sparse_vectors or {}):
            raise StoreError(
                f"the collection {self._name} at {self._address.server} was not made by ragstone: "
                "name another index with --index"
            )
        return int(dense.size)

    def drop(self) -> None:
        with self._translate_errors():
            self._client.delete_collection(self._name)

    def claims(self) -> dict[str, str]:
        return {str(p["owner"]): str(p["body"]) for p in self._scroll([_equals("kind", "claim")])}

    def claim(self, owner: str, text: str | None) -> None:
        point = str(uuid.UUID(owner))
        if text is not None:
            payload = {"kind": "claim", "owner": owner, "body": text}
            self._put([models.PointStruct(id=point, vector={}, payload=payload)])
            return
        with self._translate_errors():
            self._client.delete(self._name, models.PointIdsList(points=[point]), wait=True)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        self._put([_point(row) for row in rows])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._put([
            models.PointStruct(id=number, vector={}, payload={"kind": kind, "number": number, "body": body})
            for number, body in records.items()
        ])  # fmt: skip

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found = self._scroll([_equals("kind", kind), _between("number", first, last)])
        return {int(p["number"]): str(p["body"]) for p in found}

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        conditions = [_between("number", first, last) for first, last in ranges]
        with self._translate_errors():
            selector = models.FilterSelector(filter=models.Filter(should=list(conditions)))
            self._client.delete(self._name, selector, wait=True)

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        params = models.SearchParams(exact=exact, hnsw_ef=None if exact else max(_EF, 2 * n))
        return self._query(query.tolist(), _DENSE, n, among, params)

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        vector = models.SparseVector(indices=list(weights), values=list(weights.values()))
        return self._query(vector, _SPARSE, n, among, None)

    def _query(
        self, vector: Any, using: str, n: int, among: EngineFilter, params: models.SearchParams | None
    ) -> ScoredNumbers:
        with self._translate_errors():
            found = self._client.query_points(
                self._name, vector, using=using, limit=n, query_filter=_filter(among), search_params=params,
                with_payload=False,
            )  # fmt: skip
        return [(int(point.id), float(point.score)) for point in found.points]

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: _chunk(held) for number, held in self._retrieve(numbers, _CHUNK).items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        found = self._retrieve(numbers, ["counts"])
        return {number: unpack(b64decode(held["counts"])) for number, held in found.items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        found: dict[int, Vector] = {}
        with self._translate_errors():
            for i in range(0, len(numbers), _PAGE):
                ids = [int(each) for each in numbers[i : i + _PAGE]]
                points = self._client.retrieve(self._name, ids, with_payload=False, with_vectors=[_DENSE])
                for point in points:
                    if isinstance(point.vector, dict) and _DENSE in point.vector:
                        found[int(point.id)] = np.array(point.vector[_DENSE], np.float32)
        return found

    def _retrieve(self, numbers: Sequence[int], fields: list[str]) -> dict[int, dict[str, Any]]:
        """These fields of the chunks with these numbers."""
        with self._translate_errors():
            found = self._client.retrieve(self._name, [int(each) for each in numbers], with_payload=fields)
        return {int(point.id): point.payload for point in found if point.payload}

    def optimise(self) -> None:
        """Nothing to do: searches are fast without it."""

    def close(self) -> None:
        self._client.close()

    def _put(self, points: Sequence[models.PointStruct]) -> None:
        with self._translate_errors():
            for i in range(0, len(points), _AT_ONCE):
                self._client.upsert(self._name, list(points[i : i + _AT_ONCE]), wait=True)

    def _scroll(self, must: list[Any]) -> Iterator[dict[str, Any]]:
        """The payloads of all points that match `must`."""
        after: Any = None
        while True:
            with self._translate_errors():
                points, after = self._client.scroll(
                    self._name, models.Filter(must=must), limit=_PAGE, offset=after, with_payload=True
                )
            yield from (point.payload for point in points if point.payload)
            if after is None:
                return

    def _check_version(self) -> None:
        if self._checked:
            return
        version = self._client.info().version
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            oldest = ".".join(map(str, _OLDEST))
            raise StoreError(f"the Qdrant at {self._address.server} is {version}: {oldest} or newer is needed")
        self._checked = True

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise what the client raises as a StoreError of one line."""
        server = f"the Qdrant at {self._address.server}"
        try:
            yield
        except UnexpectedResponse as error:
            raise StoreError(f"{server} {_refusal(error)}") from error
        except (ResponseHandlingException, httpx.HTTPError) as error:
            cause = error.source if isinstance(error, ResponseHandlingException) else error
            raise StoreError(
                f"{server} cannot be reached ({_line(cause)}): start it, or look at the address given with --index"
            ) from error
        except (ApiException, ValueError) as error:
            raise StoreError(f"{server} gave an answer that is not Qdrant's ({_line(error)})") from error


def _refusal(error: UnexpectedResponse) -> str:
    if error.status_code in (401, 403):
        return f"refuses the key (HTTP {error.status_code}): set QDRANT_API_KEY to one that may write"
    try:
        said = json.loads(error.content)["status"]["error"]
    except (ValueError, KeyError, TypeError):
        said = error.content.decode("utf-8", "replace")
    return (
        f"refused a request (HTTP {error.status_code}: {' '.join(str(said).split())[:300]}): run the command again"
    )


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _equals(field: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def _between(field: str, first: int, last: int) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=models.Range(gte=first, lte=last))


def _filter(among: EngineFilter) -> models.Filter | None:
    must: list[Any] = []
    if among.ranges is not None:
        must.append(models.Filter(should=[_between("number", *each) for each in among.ranges]))
    if among.type is not None:
        must.append(_equals("type", among.type))
    if among.pages is not None:
        must.append(_between("page", *among.pages))
    return models.Filter(must=must) if must else None


def _point(row: Row) -> models.PointStruct:
    chunk = row.chunk
    sparse = models.SparseVector(indices=row.hashes.tolist(), values=row.weights.tolist())
    payload = {
        "kind": "chunk", "number": row.number, "type": row.type, "source": chunk.source, "text": chunk.text,
        "start": chunk.start, "end": chunk.end, "position": chunk.position, "page": chunk.page,
        "heading": list(chunk.heading), "place": chunk.place, "counts": b64encode(pack(row)).decode("ascii"),
    }  # fmt: skip
    return models.PointStruct(
        id=row.number, vector={_DENSE: row.vector.tolist(), _SPARSE: sparse}, payload=payload
    )


def _chunk(held: Mapping[str, Any]) -> Chunk:
    return Chunk(**{**{name: held[name] for name in _CHUNK}, "heading": tuple(held["heading"])})
