"""The one writer of an index in PostgreSQL: everything between two commits is one transaction."""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from rag.errors import IndexLocked, StoreError
from rag.stores._tuned import EXACT_IN_DATABASE
from rag.stores.common.bm25 import key
from rag.stores.common.checks import check_text, check_vectors, encodable
from rag.stores.common.manifest import check_same, check_terms, from_json, to_json
from rag.stores.postgresql.connection import Address, check_mark, connect, create, operand, translate_errors
from rag.text import chunk_terms
from rag.types import Chunk, Document, Manifest, Vector, Vectors

if TYPE_CHECKING:
    from rag.stores.postgresql.connection import Connection


def literal(vector: Vector) -> str:
    """The vector in pgvector's text form."""
    return f"[{','.join(map(str, vector.tolist()))}]"


_FLUSH = 1024  # chunks that wait before they are sent


@contextmanager
def writing(at: Address, manifest: Manifest) -> Iterator[PostgresWriter]:
    """The writer of the index, which is created if it is not there; see `rag.stores.Store.write`."""
    check_terms(manifest, at.shown)
    db = connect(at)
    try:
        with translate_errors(at):
            _lock(db, at)
        writer = PostgresWriter(at, manifest, db)
        writer.begin()
        yield writer
        writer.optimise()
    finally:
        with suppress(Exception):  # the server undoes what was not committed and releases the lock
            db.close()


def _lock(db: Connection, at: Address) -> None:
    """Take the lock for as long as the connection lasts: the server releases it when the process dies."""
    schema = db.execute("SELECT current_schema()").fetchone()
    name = hashlib.sha256(f"ragstone {schema} {at.table}".encode()).digest()
    (number,) = struct.unpack(">q", name[:8])
    (got,) = db.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone() or (False,)
    if not got:
        raise IndexLocked(
            f"the index {at.shown} is being written to by {_holder(db, number)}: "
            "wait for it to end, or stop it, and run the command again"
        )


def _holder(db: Connection, number: int) -> str:
    row = db.execute(
        "SELECT application_name, date_trunc('second', backend_start)"
        " FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32 | objid::bigint) = %s",
        (number,),
    ).fetchone()
    if row is None or row[1] is None:  # it belongs to another user and is hidden
        return "another process"
    return f"{row[0].removeprefix('ragstone ')} since {row[1].isoformat()}"


class PostgresWriter:
    """`rag.stores.Writer` on PostgreSQL. After an error it accepts nothing more, and its changes are undone."""

    def __init__(self, at: Address, manifest: Manifest, db: Connection) -> None:
        self._at = at
        self._manifest = manifest
        self._db = db
        self._chunks, self._state, self._documents, self._vectors, self._terms = at.names()
        self._next, self._count, self._length = 1, 0, 0
        self._changed = False
        self._failed = False
        self._open = self._committed = False
        self._waiting: tuple[list[Any], list[Any], list[Any]] = ([], [], [])  # chunks, vectors, postings

    def begin(self) -> None:
        """Begin the first transaction; if there is no index, create the schema and write the manifest."""
        with self._step():
            if check_mark(self._db, self._at):
                query = f"SELECT manifest, next, chunks, length FROM {self._state}"  # noqa: S608
                held, self._next, self._count, self._length = self._run(query).fetchone()
                check_same(from_json(held), self._manifest, self._at.shown)
                return
            create(self._db, self._at, self._manifest.dim)
            insert = f"INSERT INTO {self._state} VALUES (1, gen_random_uuid(), %s, 0, 1, 0, 0)"  # noqa: S608
            self._run(insert, to_json(self._manifest))
            self._changed = True

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add `document`, replacing an earlier one of the same source. Rows of `vectors` match `chunks`.

        Raises StoreError for vectors of another shape or not of unit length, and for text that no file can
        contain; then nothing has changed.
        """
        check_text(document, chunks)
        check_vectors(document.source, len(chunks), vectors, self._manifest, self._at.shown)
        terms = [Counter(map(key, chunk_terms(chunk))) for chunk in chunks]
        with self._step():
            self._delete(document.source)
            first = self._next
            row = self._run(
                f"INSERT INTO {self._documents} (source, path, sha256, size, modified, type, chunks, first)"  # noqa: S608
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
                document.source, document.path, document.sha256, document.size, document.modified,
                document.type, len(chunks), first,
            ).fetchone()  # fmt: skip
            self._add(row[0], first, chunks, terms, vectors)
            self._next += len(chunks)
            self._count += len(chunks)
            self._length += sum(each.total() for each in terms)
            self._changed = True

    def remove(self, sources: Iterable[str]) -> int:
        """Remove these sources; returns how many of them were there."""
        with self._step():
            return sum(self._delete(source) for source in dict.fromkeys(sources) if encodable(source))

    def commit(self) -> None:
        """Make all changes since the last commit visible to readers, in one step that survives a power cut."""
        if not (self._failed or self._changed):
            return
        with self._step():
            self._flush()
            self._index_vectors()
            self._run(
                f"UPDATE {self._state} SET generation = generation + 1, next = %s, chunks = %s, length = %s",  # noqa: S608
                self._next, self._count, self._length,
            )  # fmt: skip
            self._db.execute("COMMIT")
            self._open = self._changed = False
            self._committed = True

    def optimise(self) -> None:
        """Update the server's statistics about the new rows, which makes searches fast.

        A failure does no harm: the server does it later by itself.
        """
        if self._committed and not self._failed:
            with suppress(Exception):
                if self._open:
                    self._db.execute("ROLLBACK")
                self._db.execute(f"VACUUM (ANALYZE) {', '.join((self._terms, self._chunks, self._vectors))}")

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A step of the transaction, begun if necessary: done completely; otherwise the writer has failed."""
        if self._failed:
            raise StoreError(f"writing to the index {self._at.shown} failed before: run the command again")
        try:
            with translate_errors(self._at):
                if not self._open:
                    self._db.execute("BEGIN")
                    self._open = True
                yield
        except BaseException:
            self._failed = True
            with suppress(Exception):
                self._db.execute("ROLLBACK")
            raise

    def _run(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values)

    def _add(
        self, document: int, first: int, chunks: Sequence[Chunk], terms: Sequence[Counter[str]], vectors: Vectors
    ) -> None:
        """Collect rows to be written together; postings in order of their terms take a third of the time."""
        rows, blobs, postings = self._waiting
        # pgvector's own binary form: number of dimensions, two bytes unused, float32 in network order
        head = struct.pack(">HH", self._manifest.dim, 0)
        for i, (c, counts) in enumerate(zip(chunks, terms, strict=True), first):
            length = counts.total()
            heading = json.dumps(c.heading, ensure_ascii=False)
            rows.append((i, document, c.position, c.page, c.start, c.end, heading, c.text, length, c.place))
            blobs.append((i, head + vectors[i - first].astype(">f4").tobytes()))
            postings.extend((term, i, count, length) for term, count in counts.items())
        if len(rows) >= _FLUSH:
            self._flush()

    def _flush(self) -> None:
        rows, blobs, postings = self._waiting
        postings.sort()
        self._copy(self._chunks, "int8 int8 int4 int4 int4 int4 text text int4 text", rows)
        self._copy(self._vectors, "int8 bytea", blobs)
        self._copy(self._terms, "text int8 int4 int4", postings)

    def _copy(self, table: str, types: str, rows: list[Any]) -> None:
        if not rows:
            return
        with self._db.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(types.split())
            for row in rows:
                copy.write_row(row)
        rows.clear()

    def _delete(self, source: str) -> int:
        """Remove a document; returns 1 if it was there, else 0."""
        query = f"DELETE FROM {self._documents} WHERE source = %s RETURNING first, chunks"  # noqa: S608
        found = self._run(query, source).fetchone()
        if found is None:
            return 0
        self._flush()
        first, count = found
        query = f"DELETE FROM {self._chunks} WHERE id BETWEEN %s AND %s RETURNING id, heading, text, length"  # noqa: S608
        rows = self._run(query, first, first + count - 1).fetchall()
        # The postings are found through the terms of the text: an index by chunk would be as large as they are.
        held = [(term, chunk) for chunk, heading, text, _ in rows for term in _keys(source, heading, text)]
        self._run(
            f"DELETE FROM {self._terms} p USING unnest(%s::text[], %s::bigint[]) AS u (term, chunk)"  # noqa: S608
            " WHERE p.term = u.term AND p.chunk = u.chunk",
            [term for term, _ in held],
            [chunk for _, chunk in held],
        )
        self._run(f"DELETE FROM {self._vectors} WHERE id BETWEEN %s AND %s", first, first + count - 1)  # noqa: S608
        self._count -= len(rows)
        self._length -= sum(row[3] for row in rows)
        self._changed = True
        return 1

    def _index_vectors(self) -> None:
        """Create an HNSW index once there are many vectors: that is faster than growing it from the beginning."""
        indexed = operand(self._manifest.dim)
        if self._count <= EXACT_IN_DATABASE or indexed is None:
            return
        name = f'"{self._at.table}_hnsw"'
        if self._run("SELECT to_regclass(%s)", name).fetchone()[0] is not None:
            return
        build = f"CREATE INDEX {name} ON {self._vectors} USING hnsw ({indexed[0]} {indexed[1]}_ip_ops)"
        self._run("SET LOCAL maintenance_work_mem = '512MB'")
        if not self._attempt(
            lambda: self._run(build)
        ):  # parallel workers need shared memory, of which containers have little
            self._run("SET LOCAL max_parallel_maintenance_workers = 0")
            self._run(build)

    def _attempt(self, work: Callable[[], object]) -> bool:
        """Whether the server could do `work`; if not, its changes are undone."""
        import psycopg

        self._run("SAVEPOINT attempt")
        try:
            work()
        except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory):
            self._run("ROLLBACK TO SAVEPOINT attempt")
            return False
        return True


def _keys(source: str, heading: str, text: str) -> set[str]:
    """The terms of a chunk, as they were written."""
    return set(map(key, chunk_terms(Chunk(source, text, 0, len(text), heading=tuple(json.loads(heading))))))
