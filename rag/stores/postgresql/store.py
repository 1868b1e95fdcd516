"""PostgreSQL with pgvector: exact search or HNSW by size, BM25 in SQL over postings of our own terms."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import IndexMissing, StoreError
from rag.stores._tuned import EF_POSTGRESQL, EXACT_IN_DATABASE
from rag.stores.common.bm25 import distinct, rarities, saturation, weights
from rag.stores.common.checks import check_query
from rag.stores.common.glob import regex
from rag.stores.common.manifest import from_json
from rag.stores.postgresql.connection import VERSION, Readers, operand, parse
from rag.stores.postgresql.writer import PostgresWriter, literal, writing
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

if TYPE_CHECKING:
    from rag.stores.postgresql.connection import Connection

_FREQUENCIES_KEPT = 100_000
_CHUNK = 'c.id, d.source, c.text, c."start", c."end", c.position, c.page, c.heading, c.place'
_DOCUMENT = "source, path, sha256, size, modified, type, chunks"


class PostgresStore:
    """`rag.stores.Store` in a PostgreSQL database, under ``?table=NAME``; safe in threads."""

    def __init__(self, url: str) -> None:
        self._at = parse(url)
        self._chunks, self._state, self._documents, self._vectors, self._terms = self._at.names()
        self._readers = Readers(self._at)
        self._lock = threading.Lock()
        self._frequencies: tuple[object, dict[str, int]] = (None, {})

    @property
    def url(self) -> str:
        """The URL without its password."""
        return self._at.shown

    def manifest(self) -> Manifest | None:
        """What the index was made with; None while nothing has been written."""
        try:
            return self._readers.read(self._manifest)
        except IndexMissing:
            return None

    def _manifest(self, db: Connection) -> Manifest:
        return from_json(_one(db, f"SELECT manifest FROM {self._state}")[0])  # noqa: S608

    def documents(self) -> Mapping[str, Document]:
        """Every file in the index, by source."""
        query = f"SELECT {_DOCUMENT} FROM {self._documents} ORDER BY source"  # noqa: S608
        try:
            rows = self._readers.read(lambda db: db.execute(query).fetchall())
        except IndexMissing:
            return {}
        return {row[0]: Document(*row) for row in rows}

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks nearest to `query` by cosine, best first. Raises IndexMissing, StoreError.

        Exact if at most EXACT_IN_DATABASE chunks match `where`; by HNSW among more.
        """
        rows = self._readers.read(lambda db: self._nearest(db, query, n, where))
        found = [Scored(key, min(max(score, -1.0), 1.0)) for key, score in rows]
        return sorted(found, key=lambda scored: (-scored.score, scored.id))

    def _nearest(self, db: Connection, query: Vector, n: int, where: Where | None) -> list[tuple[int, float]]:
        check_query(query, self._manifest(db), self.url)
        if n < 1:
            return []
        condition, values = self._let_through(where, "v.id")
        indexed = operand(len(query), "v.")
        if indexed is None or self._few(db, condition, values):
            db.execute("SET LOCAL enable_indexscan = off")
            vector, kind, ties = "v.embedding", "vector", ", v.id"
        else:
            db.execute(f"SET LOCAL hnsw.ef_search = {min(max(2 * n, EF_POSTGRESQL), 1000)}")
            db.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            (vector, kind), ties = indexed, ""
        distance = f"{vector} <#> %s::{kind}"
        statement = (
            f"SELECT v.id, -({distance}) FROM {self._vectors} v {condition} ORDER BY {distance}{ties} LIMIT %s"  # noqa: S608
        )
        text = literal(query)
        return db.execute(statement, (text, *values, text, n)).fetchall()

    def _few(self, db: Connection, condition: str, values: Sequence[Any]) -> bool:
        if _one(db, f"SELECT chunks FROM {self._state}")[0] <= EXACT_IN_DATABASE:  # noqa: S608
            return True
        if not condition:
            return False
        count = (
            f"SELECT count(*) FROM (SELECT 1 FROM {self._vectors} v {condition} LIMIT {EXACT_IN_DATABASE + 1}) x"  # noqa: S608
        )
        return bool(_one(db, count, values)[0] <= EXACT_IN_DATABASE)

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks with the best BM25 score for `terms`, best first. Raises IndexMissing."""
        return [Scored(*row) for row in self._readers.read(lambda db: self._best(db, distinct(terms), n, where))]

    def _best(self, db: Connection, keys: Sequence[str], n: int, where: Where | None) -> list[tuple[int, float]]:
        name, generation, total, length = _one(db, f"SELECT name, generation, chunks, length FROM {self._state}")  # noqa: S608
        weighed = weights(keys, self._count(db, (name, generation), keys), total)
        if n < 1 or not weighed:
            return []
        a, b = saturation(length / total)
        condition, values = self._let_through(where, "p.chunk")
        statement = (
            "SELECT p.chunk, sum(q.weight * p.count / (p.count + %s + %s * p.length)) AS score"  # noqa: S608
            f" FROM unnest(%s::text[], %s::float8[]) AS q (term, weight) JOIN {self._terms} p ON p.term = q.term"
            f" {condition} GROUP BY p.chunk ORDER BY score DESC, p.chunk LIMIT %s"
        )
        given = (a, b, list(weighed), list(weighed.values()), *values, n)
        return db.execute(statement, given).fetchall()

    def rarities(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is among the chunks, in (0, 1]. Raises IndexMissing."""

        def read(db: Connection) -> list[float]:
            name, generation, total = _one(db, f"SELECT name, generation, chunks FROM {self._state}")  # noqa: S608
            return rarities(terms, self._count(db, (name, generation), distinct(terms)), total)

        return self._readers.read(read)

    def _count(self, db: Connection, generation: object, keys: Sequence[str]) -> Mapping[str, int]:
        """How many chunks contain each term; counts are cached until the next commit."""
        with self._lock:
            if self._frequencies[0] != generation or len(self._frequencies[1]) > _FREQUENCIES_KEPT:
                self._frequencies = (generation, {})
            known = self._frequencies[1]
        if missing := [each for each in keys if each not in known]:
            query = f"SELECT term, count(*) FROM {self._terms} WHERE term = ANY(%s) GROUP BY term"  # noqa: S608
            counted: dict[str, int] = dict(db.execute(query, (missing,)).fetchall())
            with self._lock:
                known.update({each: counted.get(each, 0) for each in missing})
        return known

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in that order.

        Raises IndexMissing, and StoreError if a chunk is gone (replaced since the search that found it).
        """
        condition = "WHERE c.id = ANY(%s)"
        found = dict(self._readers.read(lambda db: self._read_chunks(db, condition, [int(each) for each in ids])))
        if gone := [chunk for chunk in ids if chunk not in found]:
            raise StoreError(
                f"the index {self.url} changed while it was searched (chunk {gone[0]} is gone): ask again"
            )
        return [found[chunk] for chunk in ids]

    def _read_chunks(self, db: Connection, condition: str, value: object) -> list[tuple[int, Chunk]]:
        query = f"SELECT {_CHUNK} FROM {self._chunks} c JOIN {self._documents} d ON d.id = c.document {condition}"  # noqa: S608
        rows = db.execute(query, (value,)).fetchall()
        return [(row[0], _chunk(row[1:])) for row in rows]

    def rows(self, source: str) -> tuple[Document, list[Chunk], Vectors]:
        """A document with its chunks and their vectors. Raises StoreError if it is not there."""
        return self._readers.read(lambda db: self._rows(db, source))

    def _rows(self, db: Connection, source: str) -> tuple[Document, list[Chunk], Vectors]:
        query = f"SELECT {_DOCUMENT}, first FROM {self._documents} WHERE source = %s"  # noqa: S608
        found = db.execute(query, (source,)).fetchone()
        if found is None:
            raise StoreError(f"there is no {source} in the index {self.url}")
        document = Document(*found[:7])
        chunks = [chunk for _, chunk in self._read_chunks(db, "WHERE d.source = %s ORDER BY c.id", source)]
        vectors = f"SELECT embedding::real[] FROM {self._vectors} WHERE id BETWEEN %s AND %s ORDER BY id"  # noqa: S608
        ids = (found[7], found[7] + document.chunks - 1)
        held = [row[0] for row in db.execute(vectors, ids, binary=True)]
        return document, chunks, np.array(held, np.float32).reshape(len(chunks), self._manifest(db).dim)

    def write(self, manifest: Manifest) -> AbstractContextManager[PostgresWriter]:
        """The only writer of the index. Raises IndexLocked, EmbedderMismatch, IndexVersion, StoreError."""
        return writing(self._at, manifest)

    def statistics(self) -> dict[str, int | str]:
        """What `rag status` shows: counts, bytes on disk, how vectors are searched. Raises IndexMissing."""
        return self._readers.read(self._statistics)

    def _statistics(self, db: Connection) -> dict[str, int | str]:
        generation, chunks = _one(db, f"SELECT generation, chunks FROM {self._state}")  # noqa: S608
        size = "SELECT sum(pg_total_relation_size(to_regclass(name)))::bigint FROM unnest(%s::text[]) AS t (name)"
        return {
            "documents": _one(db, f"SELECT count(*) FROM {self._documents}")[0],  # noqa: S608
            "chunks": chunks,
            "bytes": _one(db, size, (list(self._at.names()),))[0],
            "vectors": "exact, float32" if chunks <= EXACT_IN_DATABASE else "HNSW",
            "generation": generation,
            "format": VERSION,
        }

    def close(self) -> None:
        """Close all connections."""
        self._readers.close()

    def _let_through(self, where: Where | None, key: str) -> tuple[str, list[Any]]:
        """The condition on the chunk id `key` for `where`, and its values."""
        conditions: list[str] = []
        values: list[Any] = []
        if where is None or where == Where():
            return "", values
        if where.source is not None:
            conditions.append("d.source ~ %s")
            values.append(f"^(?:{regex(where.source)})$")
        if where.exclude:
            conditions.append("d.source <> ALL(%s)")
            values.append(sorted(where.exclude))
        if where.type is not None:
            conditions.append("d.type = %s")
            values.append(where.type)
        if where.pages is not None:
            conditions.append("c.page BETWEEN %s AND %s")
            values.extend(where.pages)
        among = f"SELECT c.id FROM {self._chunks} c JOIN {self._documents} d ON d.id = c.document"  # noqa: S608
        return f"WHERE {key} IN ({among} WHERE {' AND '.join(conditions)})", values


def _one(db: Connection, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
    row = db.execute(query, values).fetchone()
    return row or ()


def _chunk(row: Sequence[Any]) -> Chunk:
    source, text, start, end, position, page, heading, place = row
    return Chunk(source, text, start, end, position, page, tuple(json.loads(heading)), place)
