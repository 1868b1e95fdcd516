"""The two tables of an index in Infinity, their rows, and conditions on them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from infinity_embedded.common import ConflictType, SparseVector

from rag.stores.engine.protocol import EngineFilter, Row, pack
from rag.stores.engine.ranges import cover
from rag.stores.engine.records import chunk_fields, chunk_from, hexadecimal
from rag.types import Chunk

CHUNKS, RECORDS = "chunks", "records"
"""The names of the tables."""
MOST_RANGES = 100
"""In one condition: it is parsed by recursion."""
_HASHES = 2**32


def create_tables(database: Any, dim: int) -> None:
    """The tables of an empty index."""
    sparse = f"sparse,{_HASHES},float,int64"
    types = {
        "number": "int64", "page": "int64", "type": "varchar", "body": "varchar", "counts": "varchar",
        "dense": f"vector,{dim},float", "terms": sparse,
    }  # fmt: skip
    database.create_table(CHUNKS, {name: {"type": each} for name, each in types.items()})
    names = {"key": "varchar", "kind": "varchar", "number": "int64", "body": "varchar"}
    database.create_table(RECORDS, {name: {"type": each} for name, each in names.items()})


def has_dim(database: Any, dim: int) -> bool:
    """Whether the vectors of the table of chunks have `dim` numbers."""
    columns = database.get_table(CHUNKS).show_columns()
    held = dict(zip(columns["name"], columns["type"], strict=True))
    return f"({dim})" in str(held["dense"]) or f",{dim}" in str(held["dense"])


def drop_tables(database: Any) -> None:
    """Remove both tables, as far as they are there."""
    for name in (CHUNKS, RECORDS):
        database.drop_table(name, ConflictType.Ignore)


def between(field: str, first: int, last: int) -> str:
    """The condition that `field` lies in a range, both ends included."""
    return f"({field} >= {first} and {field} <= {last})"


def to_filter(among: EngineFilter) -> str:
    """The condition for the chunks among which is searched, "" for all."""
    parts: list[str] = []
    if among.ranges is not None:
        ranges = cover(among.ranges, MOST_RANGES)  # what is too much is filtered out afterwards
        parts.append("(" + " or ".join(between("number", *each) for each in ranges) + ")")
    if among.type is not None:
        parts.append(f"type = '{hexadecimal(among.type)}'")
    if among.pages is not None:
        parts.append(between("page", max(among.pages[0], 0), among.pages[1]))
    return " and ".join(parts)


def to_row(row: Row) -> dict[str, Any]:
    """A row of the table of chunks."""
    c = row.chunk
    body = chunk_fields(c)
    terms = to_sparse(row.hashes.tolist() or [0], row.weights.tolist() or [1e-9])  # it accepts no empty vector
    return {
        "number": row.number, "page": -1 if c.page is None else c.page, "type": hexadecimal(row.type),
        "body": json.dumps(body), "counts": b64encode(pack(row)).decode("ascii"), "dense": row.vector.tolist(),
        "terms": terms,
    }  # fmt: skip


def to_sparse(hashes: list[int], weights: list[float]) -> SparseVector:
    """A sparse vector; numbers must be Python's own."""
    return SparseVector(hashes, [float(each) for each in weights])


def to_chunk(body: str) -> Chunk:
    """The chunk of which `body` is the row's text."""
    return chunk_from(json.loads(body))
