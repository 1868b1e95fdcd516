"""The collection of an index in Qdrant, its points, and conditions on them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from qdrant_client import QdrantClient, models

from rag.errors import StoreError
from rag.stores._tuned import EF_CONSTRUCTION, M
from rag.stores.engine.protocol import EngineFilter, Row, pack
from rag.types import Chunk

DENSE, SPARSE = "ragstone_dense", "ragstone_terms"
"""The names of a point's two vectors."""
CHUNK = ["source", "text", "start", "end", "position", "page", "heading", "place"]
"""The fields of a point that are a chunk's, as in `rag.types.Chunk`."""


def create_collection(client: QdrantClient, name: str, dim: int) -> None:
    """An empty collection. Raises UnexpectedResponse."""
    client.create_collection(
        name,
        # Rows have unit length: the dot product is the cosine, and nothing is normalised again.
        vectors_config={DENSE: models.VectorParams(size=dim, distance=models.Distance.DOT)},
        sparse_vectors_config={SPARSE: models.SparseVectorParams()},
        hnsw_config=models.HnswConfigDiff(m=M, ef_construct=EF_CONSTRUCTION),
    )


def find_dim(client: QdrantClient, name: str, server: str) -> int:
    """The dimension of the collection. Raises StoreError unless it is an index made by ragstone."""
    params = client.get_collection(name).config.params
    dense = params.vectors.get(DENSE) if isinstance(params.vectors, dict) else None
    if dense is None or SPARSE not in (params.sparse_vectors or {}):
        raise StoreError(
            f"the collection {name} at {server} was not made by ragstone: name another index with --index"
        )
    return int(dense.size)


def create_indexes(client: QdrantClient, name: str) -> None:
    """Indexes of the fields by which points are filtered; those that are there stay."""
    for field, kind in (("number", "integer"), ("page", "integer"), ("type", "keyword"), ("kind", "keyword")):
        client.create_payload_index(name, field, field_schema=models.PayloadSchemaType(kind))


def equals(field: str, value: str) -> models.FieldCondition:
    """The condition that `field` is `value`."""
    return models.FieldCondition(key=field, match=models.MatchValue(value=value))


def between(field: str, first: int, last: int) -> models.FieldCondition:
    """The condition that `field` lies in a range, both ends included."""
    return models.FieldCondition(key=field, range=models.Range(gte=first, lte=last))


def to_filter(among: EngineFilter) -> models.Filter | None:
    """The condition for the chunks among which is searched, None for all."""
    must: list[Any] = []
    if among.ranges is not None:
        must.append(models.Filter(should=[between("number", *each) for each in among.ranges]))
    if among.type is not None:
        must.append(equals("type", among.type))
    if among.pages is not None:
        must.append(between("page", *among.pages))
    return models.Filter(must=must) if must else None


def to_point(row: Row) -> models.PointStruct:
    """The point of a chunk."""
    chunk = row.chunk
    sparse = models.SparseVector(indices=row.hashes.tolist(), values=row.weights.tolist())
    payload = {
        "kind": "chunk", "number": row.number, "type": row.type, "source": chunk.source, "text": chunk.text,
        "start": chunk.start, "end": chunk.end, "position": chunk.position, "page": chunk.page,
        "heading": list(chunk.heading), "place": chunk.place, "counts": b64encode(pack(row)).decode("ascii"),
    }  # fmt: skip
    return models.PointStruct(id=row.number, vector={DENSE: row.vector.tolist(), SPARSE: sparse}, payload=payload)


def to_chunk(held: Mapping[str, Any]) -> Chunk:
    """The chunk of a point with these fields."""
    return Chunk(**{**{name: held[name] for name in CHUNK}, "heading": tuple(held["heading"])})
