"""PostgreSQL: address, schema, connections, and errors in one line."""

from __future__ import annotations

import os
import platform
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rag.errors import ConfigError, IndexMissing, IndexVersion, MissingExtra, StoreError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

T = TypeVar("T")

VERSION = 2  # of the schema, in the comment on the index's first table
_MARK = "ragstone index, format "
_OLDEST_SERVER, _OLDEST_PGVECTOR = 130000, (0, 8)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
MOST_PLAIN = 2000  # dimensions of 4 bytes that fit into one page of 8 KB, and the most that HNSW accepts
_MOST_HALF = 4000  # of 2 bytes

# Chunk ids come from `state.next` and are never reused; `state.name` distinguishes an index from an earlier one;
# `state.length` is the sum of the chunks' lengths in terms.
# In `terms` every row is a posting with the length of its chunk, so that BM25 needs only one scan.
# Vectors have a table of their own and are stored uncompressed: an exact scan reads nothing else.
_SCHEMA = """
CREATE TABLE {0} (id bigint PRIMARY KEY, document bigint NOT NULL, position integer NOT NULL, page integer,
    "start" integer NOT NULL, "end" integer NOT NULL, heading text NOT NULL, text text NOT NULL,
    length integer NOT NULL, place text NOT NULL);
CREATE TABLE {1} (one integer PRIMARY KEY CHECK (one = 1), name uuid NOT NULL, manifest text NOT NULL,
    generation bigint NOT NULL, next bigint NOT NULL, chunks bigint NOT NULL, length bigint NOT NULL);
CREATE TABLE {2} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL UNIQUE,
    path text NOT NULL, sha256 text NOT NULL, size bigint NOT NULL, modified bigint NOT NULL, type text NOT NULL,
    chunks integer NOT NULL, first bigint NOT NULL);
CREATE TABLE {3} (id bigint PRIMARY KEY, embedding vector({dim}) NOT NULL);
ALTER TABLE {3} ALTER COLUMN embedding SET STORAGE {storage};
CREATE TABLE {4} (term text COLLATE "C" NOT NULL, chunk bigint NOT NULL, count integer NOT NULL,
    length integer NOT NULL, PRIMARY KEY (term, chunk) INCLUDE (count, length));
COMMENT ON TABLE {0} IS '{mark}'"""


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an index: the string for libpq, the URL to show (without a password), the table's name."""

    uri: str
    shown: str
    server: str
    table: str

    def names(self) -> tuple[str, str, str, str, str]:
        """The quoted names of the tables: chunks, state, documents, vectors, terms."""
        chunks, *others = (f'"{self.table}{end}"' for end in ("", "_state", "_documents", "_vectors", "_terms"))
        return (chunks, *others)  # type: ignore[return-value]


def parse(url: str) -> Address:
    """The address in ``postgresql://[user[:password]@]host[:port]/db?table=name``. Raises ConfigError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    table = options.pop("table", "ragstone")
    if not _NAME.fullmatch(table):
        raise ConfigError(f"{table!r} is no name for an index: use letters, digits and _, as in ?table=handbook")
    host = parts.netloc.rpartition("@")[2] or os.environ.get("PGHOST", "localhost")
    user = parts.netloc.rpartition("@")[0].partition(":")[0]
    open_options = {k: v for k, v in options.items() if k not in ("password", "sslpassword")}
    shown = urlunsplit(
        (parts.scheme, f"{user}@{parts.netloc.rpartition('@')[2]}" if user else parts.netloc, parts.path,
         urlencode({**open_options, "table": table} if "table=" in parts.query else open_options), "")
    )  # fmt: skip
    uri = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(options), ""))
    return Address(uri, shown, f"{host}{parts.path}", table)


def connect(at: Address) -> Connection:
    """A connection, with a limit of ten seconds and keepalives. Raises StoreError, MissingExtra."""
    try:
        import psycopg
    except ImportError as error:
        raise MissingExtra("an index in PostgreSQL", "psycopg", "postgresql") from error
    with translate_errors(at):
        db = psycopg.connect(
            at.uri,
            autocommit=True,
            connect_timeout=10,
            application_name=f"ragstone process {os.getpid()} on {platform.node()}"[:63],
            prepare_threshold=None,  # connection poolers do not keep prepared statements
            keepalives_idle=30,
            client_encoding="utf8",
        )
        if db.info.server_version < _OLDEST_SERVER:
            version = db.info.server_version // 10000
            db.close()
            oldest = _OLDEST_SERVER // 10000
            raise StoreError(f"the server at {at.server} is PostgreSQL {version}: {oldest} or newer is needed")
    return db


@contextmanager
def translate_errors(at: Address) -> Iterator[None]:
    """Raise what psycopg raises as a StoreError of one line, without a password."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise StoreError(_words(at, error)) from error


def _words(at: Address, error: psycopg.Error) -> str:
    import psycopg

    lines = [line.strip() for line in str(error).strip().splitlines()] or [type(error).__name__]
    said = lines[-1]
    match error.sqlstate:
        case "28P01" | "28000":
            return f"the server at {at.server} refuses the user or the password ({said}): set PGPASSWORD"
        case "42501":
            return f"the server at {at.server} does not allow this user to do that ({said}): ask for the right to"
        case "53100":
            return f"the server at {at.server} has no space left: free some and run the command again"
    if untrusted := [line for line in lines if "certificate" in line and not error.sqlstate]:
        return (
            f"the certificate of the server at {at.server} is not trusted ({untrusted[0]}): name its authority's "
            "with ?sslrootcert=FILE, and the host as the certificate does"
        )
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return (
            f"the PostgreSQL server at {at.server} cannot be used ({said}): see that it runs and can be reached, "
            "then run the command again; what was committed is safe"
        )
    return f"the index {at.shown} failed ({said}): run the command again"


def check_mark(db: Connection, at: Address) -> bool:
    """Whether there is an index. Raises StoreError for another program's table, IndexVersion."""
    chunks = at.names()[0]
    found = db.execute(
        "SELECT obj_description(t, 'pg_class') FROM to_regclass(%s) AS t WHERE t IS NOT NULL",
        (chunks,),
    ).fetchone()
    if found is None:
        return False
    if not (found[0] or "").startswith(_MARK):
        raise StoreError(
            f"the table {at.table} at {at.server} is not a ragstone index: choose another name, with ?table=NAME"
        )
    if found[0] != f"{_MARK}{VERSION}":
        raise IndexVersion(
            f"the index {at.shown} has {found[0].removeprefix('ragstone index, ')} and this ragstone reads "
            f"format {VERSION}: ingest the documents again into a new index"
        )
    return True


def create(db: Connection, at: Address, dim: int) -> None:
    """Create the schema inside the open transaction, and the extension pgvector if it is not there."""
    import psycopg

    try:
        db.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported) as error:
        raise StoreError(
            f"the server at {at.server} has no pgvector: install it there, version 0.8 or later"
        ) from error
    (version,) = db.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone() or ("0",)
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST_PGVECTOR:
        raise StoreError(
            f"the server at {at.server} has pgvector {version}: {'.'.join(map(str, _OLDEST_PGVECTOR))} or newer "
            "is needed, so install it there and run ALTER EXTENSION vector UPDATE"
        )
    storage = "PLAIN" if dim <= MOST_PLAIN else "EXTERNAL"
    statements = _SCHEMA.format(*at.names(), dim=dim, storage=storage, mark=f"{_MARK}{VERSION}")
    for statement in statements.split(";\n"):
        db.execute(statement)


def operand(dim: int, table: str = "") -> tuple[str, str] | None:
    """The expression to index by HNSW and its type: vectors, or half precision; None for too many dimensions."""
    if dim <= MOST_PLAIN:
        return f"{table}embedding", "vector"
    return (f"({table}embedding::halfvec({dim}))", "halfvec") if dim <= _MOST_HALF else None


class Readers:
    """The readers' connections to one index: one for each thread that reads at the same moment."""

    def __init__(self, at: Address) -> None:
        self._at = at
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, work: Callable[[Connection], T]) -> T:
        """The result of `work` on one snapshot of the index. Raises IndexMissing, StoreError.

        A connection that was lost while it was idle is replaced once.
        """
        db = self._take()
        if db is not None:
            try:
                return self._work(db, work)
            except StoreError:
                if not db.closed:
                    raise
        return self._work(connect(self._at), work)

    def _work(self, db: Connection, work: Callable[[Connection], T]) -> T:
        kept = False
        try:
            with translate_errors(self._at):
                db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                if not check_mark(db, self._at):
                    raise IndexMissing(self._at.shown)
                found = work(db)
                db.execute("COMMIT")
            kept = True
            return found
        finally:
            self._give_back(db, kept)

    def _take(self) -> Connection | None:
        with self._lock:
            if self._closed:
                raise StoreError(f"the index {self._at.shown} has been closed: open it again")
            return self._idle.pop() if self._idle else None

    def _give_back(self, db: Connection, kept: bool) -> None:
        with self._lock:
            if kept and not self._closed:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        """Close idle connections now, and those in use when they are returned."""
        with self._lock:
            self._closed = True
            while self._idle:
                with suppress(Exception):
                    self._idle.pop().close()
