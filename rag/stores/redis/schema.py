"""The search index of an index in Redis, its hashes, and queries in Redis's language."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import redis

from rag.errors import StoreError
from rag.stores._tuned import EF_CONSTRUCTION, M
from rag.stores.engine.protocol import EngineFilter, Row, pack
from rag.stores.engine.records import chunk_fields, chunk_from, hexadecimal
from rag.types import Chunk

_FIELDS = {"number", "page", "type", "terms", "vector"}


def create_index(client: Any, name: str, prefix: str, dim: int) -> None:
    """An index of the hashes whose keys begin with `prefix`, unless another process makes it at this moment."""
    try:
        client.execute_command(
            "FT.CREATE", name, "ON", "HASH", "PREFIX", 1, prefix,
            "NOOFFSETS", "NOHL", "NOFIELDS", "STOPWORDS", 0,
            "SCHEMA", "number", "NUMERIC", "page", "NUMERIC", "type", "TAG", "terms", "TEXT", "NOSTEM",
            "vector", "VECTOR", "HNSW", 10, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "IP",
            "M", M, "EF_CONSTRUCTION", EF_CONSTRUCTION,
        )  # fmt: skip
    except redis.ResponseError as error:
        if "already exists" not in str(error):
            raise


def find_dim(client: Any, name: str, prefix: str, server: str) -> int | None:
    """The dimension of the index, None if there is no index. Raises StoreError for another program's index."""
    try:
        found = _to_dictionary(client.execute_command("FT.INFO", name))
    except redis.ResponseError as error:
        if "nknown index" in str(error) or "no such index" in str(error):
            return None
        raise
    prefixes = [each.decode() for each in _to_dictionary(found["index_definition"])["prefixes"]]
    fields = {each["identifier"].decode(): each for each in map(_to_dictionary, found["attributes"])}
    if prefixes != [prefix] or set(fields) != _FIELDS:
        raise StoreError(
            f"the search index {name} at {server} was not made by ragstone: name another index with --index"
        )
    return int(fields["vector"]["dim"])


def to_filter(among: EngineFilter) -> str:
    """The condition for the chunks among which is searched, "" for all."""
    parts: list[str] = []
    if among.ranges is not None:
        parts.append("(" + "|".join(f"@number:[{first} {last}]" for first, last in among.ranges) + ")")
    if among.type is not None:
        parts.append(f"@type:{{{hexadecimal(among.type)}}}")
    if among.pages is not None:
        parts.append(f"@page:[{among.pages[0]} {among.pages[1]}]")
    return " ".join(parts)


def to_term_query(word: int) -> str:
    """The query for a term, written twice as alternatives: Redis ignores the weight of a single word."""
    return f"(@terms:({word:08x}|{word:08x}))"


def to_fields(row: Row) -> list[Any]:
    """Names and values, in turn, of the hash for a chunk."""
    chunk = row.chunk
    words = [f"{each:08x}" for each in np.repeat(row.hashes, row.counts.astype(np.intp)).tolist()]
    body = chunk_fields(chunk)
    page = [] if chunk.page is None else ["page", chunk.page]
    return [
        "number", row.number, *page, "type", hexadecimal(row.type), "terms", " ".join(words),
        "vector", row.vector.astype("<f4").tobytes(), "body", json.dumps(body, ensure_ascii=False),
        "counts", pack(row),
    ]  # fmt: skip


def to_chunk(body: bytes) -> Chunk:
    """The chunk of which `body` is the field."""
    return chunk_from(json.loads(body))


def _to_dictionary(flat: Sequence[Any]) -> dict[str, Any]:
    """A flat list of names and values as a dictionary; a flag at the end has no value."""
    return {name.decode().lower(): value for name, value in zip(flat[::2], flat[1::2], strict=False)}
