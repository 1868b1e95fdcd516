"""The SQLite file of the embedded store: schema, connections, and errors in one line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from rag.errors import IndexDamaged, IndexMissing, IndexVersion, StoreError
from rag.stores.faiss.sums import Damage

FILE = "ragstone.sqlite"
VERSION = 4  # of the schema, in the file's user_version
_APPLICATION = 0x52414753  # "RAGS", in the file's application_id

# Chunk ids come from `state.next` and are never reused; a document's are consecutive from `first`. So a reader
# that knows some chunks finds new ones after its last id, and deleted ones because they are absent.
# `generation` counts commits; `name` distinguishes an index from an earlier one in the same folder.
# `lengths` are the chunks' numbers of terms (uint32, little-endian), `scripts` one byte a chunk, 1 for Latin;
# `vectors` are float16 rows; `codes` those of `binary_codes`, of up to BLOCK chunks, the first of which has
# the id `first`; `postings` are those of `postings`, and a segment's `frequency` is what it adds to the
# number of chunks that hold a term. `sum` is `sums.row_sum` of a row's other values (of postings: but the data,
# whose own is `whole`); a segment's `terms` are `sums.keys_of`; `state.documents` and `state.digest` are the
# number of documents and all their sums, xored.
_SCHEMA = """
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, manifest TEXT NOT NULL,
    generation INTEGER NOT NULL, next INTEGER NOT NULL, documents INTEGER NOT NULL, digest INTEGER NOT NULL,
    sum INTEGER NOT NULL);
CREATE TABLE documents (id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
    sha256 TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, type TEXT NOT NULL,
    chunks INTEGER NOT NULL, first INTEGER NOT NULL, lengths BLOB NOT NULL,
    scripts BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE chunks (id INTEGER PRIMARY KEY, document INTEGER NOT NULL, position INTEGER NOT NULL,
    page INTEGER, start INTEGER NOT NULL, "end" INTEGER NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL,
    place TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE vectors (id INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE codes (first INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE segments (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, terms BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE postings (segment INTEGER NOT NULL, term TEXT NOT NULL, frequency INTEGER NOT NULL,
    whole INTEGER NOT NULL, sum INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (segment, term)) WITHOUT ROWID"""

DOCUMENT = "id, source, path, sha256, size, modified, type, chunks, first, lengths, scripts"
"""The columns of a document of which `sum` is."""
CHUNK = 'id, document, position, page, start, "end", heading, text, place'
"""The same of a chunk."""

_WORDS = {
    sqlite3.SQLITE_FULL: "there is no space left for the index at {0}: free some and run the command again; "
    "what was committed is safe",
    sqlite3.SQLITE_NOTADB: "{0} is not a ragstone index: name another folder with --index",
    sqlite3.SQLITE_IOERR: "the disk that holds the index at {0} failed ({1}): look at the disk",
    sqlite3.SQLITE_BUSY: "the index at {0} is in use by another program: try again in a moment",
    sqlite3.SQLITE_READONLY: "the index at {0} cannot be written to: give yourself the right to, "
    "or name another folder with --index",
    sqlite3.SQLITE_CANTOPEN: "the index at {0} cannot be opened: look at the permissions of the folder "
    "and of its files",
}


_FAILED = "the index at {0} failed ({1}): run the command again"
_NEEDED = 1 << 20  # bytes


def _kind(error: sqlite3.Error, folder: Path) -> int:
    """SQLite's code for `error`: its low byte is the kind, the rest the reason."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if not code and "decode" in str(error):  # Python's word on text that is not UTF-8
        return sqlite3.SQLITE_CORRUPT
    if code == sqlite3.SQLITE_IOERR:
        with suppress(OSError):  # its log and shared memory fail so on a full disk
            return sqlite3.SQLITE_FULL if shutil.disk_usage(folder).free < _NEEDED else code
    return code


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Raise what SQLite or the file system raises about the index in `folder` as a StoreError of one line."""
    try:
        yield
    except Damage as error:
        raise IndexDamaged(str(folder), str(error)) from error
    except UnicodeDecodeError as error:  # what SQLite says of a schema that is damaged, too
        raise IndexDamaged(str(folder), "it holds text that is not UTF-8") from error
    except sqlite3.Error as error:
        if (kind := _kind(error, folder)) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_MISMATCH):
            raise IndexDamaged(str(folder), str(error)) from error
        raise StoreError(_WORDS.get(kind, _FAILED).format(folder, error)) from error
    except OSError as error:
        raise StoreError(f"the index at {folder} cannot be used ({error.strerror or error}): "
                         "name another folder with --index") from error  # fmt: skip


def _connect(file: Path, options: str) -> sqlite3.Connection:
    """A connection by URI, the only form with an option not to create the file; transactions begin explicitly."""
    path = file.absolute().as_posix()
    uri = f"file://{'' if path.startswith('/') else '/'}{quote(os.fsencode(path))}?{options}"
    return sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)


def check_format(db: sqlite3.Connection, folder: Path) -> bool:
    """Whether `db` contains an index; False if it is empty. Raises StoreError for other content, IndexVersion."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if int(db.execute("PRAGMA application_id").fetchone()[0]) != _APPLICATION:
        if db.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            return False
        raise StoreError(_WORDS[sqlite3.SQLITE_NOTADB].format(folder))
    if version != VERSION:
        raise IndexVersion(
            f"the index at {folder} has format {version} and this ragstone reads format {VERSION}: "
            "ingest the documents again into a new index, with --index faiss:NEW"
        )
    return True


def connect_to_write(file: Path) -> sqlite3.Connection:
    """The writer's connection; the file is created if it is not there, the tables are not."""
    db = _connect(file, "mode=rwc")
    with _closed_on_error(db):
        db.execute("PRAGMA page_size = 8192")
        db.execute("PRAGMA journal_mode = WAL")  # readers keep reading the last commit
        db.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
        db.execute("PRAGMA cache_size = -8192")  # what is written is in order: more would only take room
    return db


def create_tables(db: sqlite3.Connection) -> None:
    """Create the schema inside the open transaction."""
    for statement in _SCHEMA.split(";\n"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {_APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")


def _connect_to_read(file: Path) -> tuple[sqlite3.Connection, bool]:
    """A reader's connection, also in a read-only folder; and whether it will see later commits.

    Readers of a write-ahead log keep a shared-memory file beside it. If that cannot be created, and there is no
    log to read, the file is opened as one that does not change.
    """
    log = file.with_name(file.name + "-wal")
    try:
        return _answering(file, "mode=rw"), True
    except sqlite3.OperationalError as error:
        unwritable = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not unwritable or (log.exists() and log.stat().st_size > 0):
            raise
    return _answering(file, "mode=ro&immutable=1"), False


def _answering(file: Path, options: str) -> sqlite3.Connection:
    """A connection that was tested for reading, and cannot write."""
    db = _connect(file, options)
    with _closed_on_error(db):
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
        db.execute("PRAGMA query_only = 1")
    return db


@contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


class Readers:
    """The readers' connections to one index: one for each thread that reads at the same moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / FILE
        self._idle: list[sqlite3.Connection] = []
        self._identity: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._lasting = True

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction: all reads see one commit. Raises IndexMissing."""
        db = self._take()
        kept = False
        try:
            with translate_errors(self.folder):
                db.execute("BEGIN")
                try:
                    yield db
                except (ValueError, TypeError, LookupError, OverflowError) as error:
                    # What no sum covers (a value of another type, a number too large) is damage as well.
                    raise (
                        error if isinstance(error, Damage) else Damage(f"{type(error).__name__}: {error}")
                    ) from error
                db.execute("COMMIT")
            kept = self._give_back(db)
        finally:
            if not kept:
                db.close()

    def _take(self) -> sqlite3.Connection:
        """An idle connection, or a new one; connections to a file that was deleted meanwhile are closed."""
        with self._lock, translate_errors(self.folder):
            if self._closed:
                raise StoreError(f"the index at {self.folder} has been closed: open it again")
            if self._identity != (now := identity(self.file)):
                self._drop()
                self._identity = now
            if now is None:
                raise IndexMissing(f"faiss:{self.folder}")
            return self._idle.pop() if self._idle else self._open()

    def _open(self) -> sqlite3.Connection:
        db, self._lasting = _connect_to_read(self.file)
        with _closed_on_error(db):
            if not check_format(db, self.folder):
                raise IndexMissing(f"faiss:{self.folder}")
            db.execute("PRAGMA cache_size = -16384")
        return db

    def _give_back(self, db: sqlite3.Connection) -> bool:
        with self._lock:
            if self._closed or not self._lasting:
                return False
            self._idle.append(db)
            return True

    def _drop(self) -> None:
        while self._idle:
            with suppress(sqlite3.Error):
                self._idle.pop().close()

    def size(self) -> int:
        """Bytes on disk, the log included."""
        files = (self.file.with_name(self.file.name + end) for end in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Close idle connections now, and those in use when they are returned."""
        with self._lock:
            self._closed = True
            self._drop()


def identity(file: Path) -> tuple[int, int] | None:
    """The identity of the file at this path, None if there is none."""
    try:
        status = file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
