"""An index in Infinity, which runs inside this process on a folder: a table of chunks and one of records.

`chunks` has a row for each chunk with a dense and a sparse vector, the latter of term hashes and saturated
counts as in `rag.stores.milvus.store`. Search compares all vectors, so it is exact. Infinity has no primary key,
and several processes can damage one folder: so rows are written once, the state is updated in place, and a
lock lets only one process in. A process can have one folder open.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from rag.errors import MissingExtra, StoreError
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, pack, unpack
from rag.stores.engine.ranges import cover, merged
from rag.stores.engine.records import chunk_fields, chunk_from
from rag.stores.engine.store import EngineStore
from rag.types import Chunk, Vector

try:
    import infinity_embedded
    from infinity_embedded.common import InfinityException, SparseVector
except ImportError as error:
    # It pins NumPy 1.26 and other old versions, so the extra contains everything except the package itself.
    raise MissingExtra(
        "a store in Infinity",
        "infinity-embedded-sdk",
        "infinity",
        ", then pip install --no-deps infinity-embedded-sdk==0.5.2",
    ) from error

_CHUNKS, _RECORDS = "chunks", "records"
_HASHES = 2**32
_MOST_RANGES = 100  # in one condition: it is parsed by recursion
_AT_ONCE = 500
_CONDITION = " or "
_CONFIG = """[general]
version = "0.5.0"
time_zone = "utc-0"
[network]
[log]
log_dir = {log}
log_level = "error"
[storage]
data_dir = {data}
persistence_dir = ""
[buffer]
temp_dir = {tmp}
[wal]
wal_dir = {wal}
[resource]
resource_dir = {resource}
"""


class InfinityStore(EngineStore):
    """`rag.stores.Store` at ``infinity:FOLDER``."""

    def __init__(self, url: str) -> None:
        super().__init__(Infinity(Path(url.partition(":")[2]).expanduser()), url)


class _Process:
    """The folder that this process has open, and how many stores use it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._folder: Path | None = None
        self._users = 0
        self._held: Any = None
        self._claim: FileLock | None = None

    def enter(self, folder: Path) -> Any:
        """The database in `folder`. Raises StoreError if another process, or another folder here, is in use."""
        with self.lock:
            if self._folder is None:
                self._open(folder)
            elif self._folder != folder:
                raise StoreError(
                    f"Infinity opens one folder in a process, and {self._folder} is open: close that index first"
                )
            self._users += 1
            return self._held.get_database("default_db")

    def leave(self) -> None:
        """Count one user less; the last one closes the database."""
        with self.lock:
            self._users -= 1
            if not self._users:
                self._close()

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        claim = FileLock(folder / "lock")
        try:
            claim.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"the Infinity folder {folder} cannot be opened: wait for another process that uses it to end "
                "(Infinity lets one in at a time)"
            ) from error
        config = folder / "config.toml"
        names = ("log", "data", "tmp", "wal", "resource")
        config.write_text(_CONFIG.format(**{name: json.dumps(str(folder / name)) for name in names}), "utf-8")
        try:
            with _without_output():
                self._held = infinity_embedded.connect(str(folder), str(config))
        except BaseException:
            claim.release()
            raise
        self._folder, self._claim = folder, claim

    def _close(self) -> None:
        with _without_output():
            self._held.disconnect()
        self._held = self._folder = None
        if self._claim is not None:
            self._claim.release()


_PROCESS = _Process()


class Infinity:
    """`rag.stores.engine.protocol.Engine` on two tables."""

    kind = "exact, float32"
    slack = 1.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._held: Any = None

    @contextmanager
    def _database(self) -> Iterator[Any]:
        """The database, for one operation at a time; its exceptions become a StoreError of one line."""
        with _PROCESS.lock:
            try:
                if self._held is None:
                    self._held = _PROCESS.enter(self._folder)
                yield self._held
            except (InfinityException, OSError, RuntimeError, RecursionError) as error:
                said = " ".join(str(getattr(error, "error_message", "") or error).split())[:300]
                raise StoreError(f"the Infinity folder {self._folder} refused a request ({said})") from error

    @contextmanager
    def _table(self, name: str) -> Iterator[Any]:
        with self._database() as database:
            yield database.get_table(name)

    def _there(self) -> bool:
        """Whether there is an index; the check creates no folder."""
        if self._held is None and not (self._folder / "config.toml").exists():
            return False
        with self._database() as database:
            return {_CHUNKS, _RECORDS} <= set(database.list_tables().table_names)

    def state(self) -> str | None:
        if not self._there():
            return None
        found = self._rows(_RECORDS, ["body"], "key = 'state'")["body"]
        return str(found[0]) if found else None

    def set_state(self, text: str) -> None:
        self._set("state", "state", text)

    def _set(self, key: str, kind: str, body: str) -> None:
        """Write a record, replacing the one with the same key, in one transaction."""
        with self._table(_RECORDS) as table:
            if self._rows(_RECORDS, ["key"], f"key = '{key}'")["key"]:
                table.update(f"key = '{key}'", {"body": body})
            else:
                table.insert([{"key": key, "kind": kind, "number": 0, "body": body}])

    def create(self, dim: int) -> bool:
        with self._database() as database:
            if self._there():
                columns = database.get_table(_CHUNKS).show_columns()
                held = dict(zip(columns["name"], columns["type"], strict=True))
                return f"({dim})" in str(held["dense"]) or f",{dim}" in str(held["dense"])
            sparse = f"sparse,{_HASHES},float,int64"
            types = {
                "number": "int64", "page": "int64", "type": "varchar", "body": "varchar", "counts": "varchar",
                "dense": f"vector,{dim},float", "terms": sparse,
            }  # fmt: skip
            database.create_table(_CHUNKS, {name: {"type": each} for name, each in types.items()})
            names = {"key": "varchar", "kind": "varchar", "number": "int64", "body": "varchar"}
            database.create_table(_RECORDS, {name: {"type": each} for name, each in names.items()})
        return True

    def drop(self) -> None:
        with self._database() as database:
            for name in (_CHUNKS, _RECORDS):
                database.drop_table(name, infinity_embedded.common.ConflictType.Ignore)

    def claims(self) -> dict[str, str]:
        found = self._rows(_RECORDS, ["key", "body"], "kind = 'claim'")
        return dict(zip(found["key"], found["body"], strict=True))

    def claim(self, owner: str, text: str | None) -> None:
        if text is not None:
            self._set(owner, "claim", text)
            return
        with self._table(_RECORDS) as table:
            table.delete(f"key = '{owner}'")

    def add_chunks(self, rows: Sequence[Row]) -> None:
        with self._table(_CHUNKS) as table:
            for i in range(0, len(rows), _AT_ONCE):
                table.insert([_fields(row) for row in rows[i : i + _AT_ONCE]])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        rows = [{"key": f"{kind}-{n}", "kind": kind, "number": n, "body": body} for n, body in records.items()]
        with self._table(_RECORDS) as table:
            for i in range(0, len(rows), _AT_ONCE):
                table.insert(rows[i : i + _AT_ONCE])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found = self._rows(_RECORDS, ["number", "body"], f"kind = '{kind}' and {_between('number', first, last)}")
        return dict(sorted(zip(found["number"], found["body"], strict=True)))

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        for each in ranges:
            part = _between("number", *each)
            with self._table(_CHUNKS) as table:
                table.delete(part)
            with self._table(_RECORDS) as table:
                for kind in ("document", "segment"):
                    table.delete(f"kind = '{kind}' and {part}")

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:  # noqa: ARG002
        return self._search("match_dense", ("dense", query.tolist(), "float", "ip", n), among)

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        hashes = sorted(weights)
        asked = SparseVector(hashes, [float(weights[each]) for each in hashes])
        return [each for each in self._search("match_sparse", ("terms", asked, "ip", n), among) if each[1] > 0]

    def _search(self, how: str, arguments: tuple[Any, ...], among: EngineFilter) -> ScoredNumbers:
        chosen = _filter(among)
        with self._table(_CHUNKS) as table:
            query = getattr(table.output(["number", "_similarity"]), how)
            found = query(*arguments, *([{"filter": chosen}] if chosen else [])).to_result()[0]
        return list(zip(found["number"], found["SIMILARITY"], strict=True))

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: _chunk(body) for number, body in self._get(numbers, "body").items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        return {number: unpack(b64decode(text)) for number, text in self._get(numbers, "counts").items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        return {number: np.array(held, np.float32) for number, held in self._get(numbers, "dense").items()}

    def _get(self, numbers: Sequence[int], field: str) -> dict[int, Any]:
        """The field of these chunks; a condition takes ranges of numbers, or about a hundred single ones."""
        found: dict[int, Any] = {}
        runs = merged((int(each), int(each)) for each in set(numbers))
        for i in range(0, len(runs), _MOST_RANGES):
            condition = _CONDITION.join(_between("number", *each) for each in runs[i : i + _MOST_RANGES])
            part = self._rows(_CHUNKS, ["number", field], condition)
            found |= dict(zip(part["number"], part[field], strict=True))
        return found

    def _rows(self, table: str, fields: list[str], condition: str) -> dict[str, list[Any]]:
        with self._table(table) as held:
            return dict(held.output(fields).filter(condition).to_result()[0])

    def optimise(self) -> None:
        """Nothing to do: there is no index structure to build."""

    def close(self) -> None:
        with _PROCESS.lock:
            if self._held is not None:
                self._held = None
                _PROCESS.leave()


@contextmanager
def _without_output() -> Iterator[None]:
    """Suppress standard output, where Infinity would print its settings."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _between(field: str, first: int, last: int) -> str:
    return f"({field} >= {first} and {field} <= {last})"


def _filter(among: EngineFilter) -> str:
    parts: list[str] = []
    if among.ranges is not None:
        ranges = cover(among.ranges, _MOST_RANGES)  # what is too much is filtered out afterwards
        parts.append("(" + _CONDITION.join(_between("number", *each) for each in ranges) + ")")
    if among.type is not None:
        parts.append(f"type = '{_hex(among.type)}'")
    if among.pages is not None:
        parts.append(_between("page", max(among.pages[0], 0), among.pages[1]))
    return " and ".join(parts)


def _hex(text: str) -> str:
    """`text` in hexadecimal digits, which have no meaning in a condition."""
    return f"x{text.encode('utf-8', 'surrogatepass').hex()}"


def _fields(row: Row) -> dict[str, Any]:
    c = row.chunk
    body = chunk_fields(c)
    weights = [float(each) for each in row.weights]
    return {
        "number": row.number, "page": -1 if c.page is None else c.page, "type": _hex(row.type),
        "body": json.dumps(body), "counts": b64encode(pack(row)).decode("ascii"), "dense": row.vector.tolist(),
        "terms": SparseVector(row.hashes.tolist() or [0], weights or [1e-9]),  # it accepts no empty vector
    }  # fmt: skip


def _chunk(body: str) -> Chunk:
    return chunk_from(json.loads(body))
