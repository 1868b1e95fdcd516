"""The two collections of an index in Milvus, their rows, and conditions on them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, Literal

from pymilvus import DataType, MilvusClient

from rag.errors import StoreError
from rag.stores._tuned import EF_CONSTRUCTION, M
from rag.stores.engine.protocol import EngineFilter, Row, pack
from rag.stores.engine.records import chunk_fields, chunk_from
from rag.stores.milvus.connection import SECONDS
from rag.types import Chunk

BODY = 65_535
"""Bytes of a text, at most, in Milvus."""
CHUNK_FIELDS = {"number", "body", "counts", "dense", "page", "type", "terms"}
"""Of the first collection; one with others is not ours."""


def create_collection(client: Any, name: str, key: Literal["number", "key"], dim: int) -> None:
    """The collection of chunks (by number), or that of records (by key)."""
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("number", DataType.INT64, is_primary=key == "number")
    schema.add_field("body", DataType.VARCHAR, max_length=BODY)
    schema.add_field("dense", DataType.FLOAT_VECTOR, dim=dim)  # records have one because Milvus requires a vector
    index = MilvusClient.prepare_index_params()
    index.add_index(
        "dense", index_type="HNSW", metric_type="IP", params={"M": M, "efConstruction": EF_CONSTRUCTION}
    )
    if key == "key":
        schema.add_field("key", DataType.VARCHAR, max_length=100, is_primary=True)
        schema.add_field("kind", DataType.VARCHAR, max_length=20)
    else:
        schema.add_field("page", DataType.INT64)
        schema.add_field("type", DataType.VARCHAR, max_length=200)
        schema.add_field("counts", DataType.VARCHAR, max_length=BODY)
        schema.add_field("terms", DataType.SPARSE_FLOAT_VECTOR)
        index.add_index("terms", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
    client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong", timeout=SECONDS)


def to_row(row: Row) -> dict[str, Any]:
    """A row of the first collection. Raises StoreError for a chunk that is too long for Milvus."""
    c = row.chunk
    body = json.dumps(chunk_fields(c), ensure_ascii=False)
    if (size := len(body.encode())) > BODY:
        raise StoreError(f"a chunk of {c.source} has {size} bytes and Milvus takes {BODY}: use shorter chunks")
    terms = dict(zip(row.hashes.tolist(), row.weights.tolist(), strict=True))
    return {
        "number": row.number, "page": -1 if c.page is None else c.page, "type": row.type, "body": body,
        "counts": b64encode(pack(row)).decode("ascii"),
        "dense": row.vector, "terms": terms or {0: 1e-9},  # Milvus accepts no empty vector
    }  # fmt: skip


def to_record(key: str, kind: str, number: int, body: str) -> dict[str, Any]:
    """A row of the second collection."""
    return {"key": key, "kind": kind, "number": number, "body": body, "dense": [1.0, 0.0]}


def between(field: str, first: int, last: int) -> str:
    """The condition that `field` lies in a range, both ends included."""
    return f"({field} >= {first} and {field} <= {last})"


def to_filter(among: EngineFilter) -> str:
    """The condition for the chunks among which is searched, "" for all."""
    parts: list[str] = []
    if among.ranges is not None:
        parts.append("(" + " or ".join(between("number", *each) for each in among.ranges) + ")")
    if among.type is not None:
        parts.append(f"type == {json.dumps(among.type, ensure_ascii=False)}")
    if among.pages is not None:
        parts.append(between("page", max(among.pages[0], 0), among.pages[1]))
    return " and ".join(parts)


def to_chunk(body: str) -> Chunk:
    """The chunk of which `body` is the row's text."""
    return chunk_from(json.loads(body))
