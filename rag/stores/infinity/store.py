"""An index in Infinity, which runs inside this process on a folder: a table of chunks and one of records.

`chunks` has a row for each chunk with a dense and a sparse vector, the latter of term hashes and saturated
counts as in `rag.stores.milvus.store`. Search compares all vectors, so it is exact. Infinity has no primary key,
and several processes can damage one folder: so rows are written once, the state is updated in place, and a
lock lets only one process in. A process can have one folder open.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, unpack
from rag.stores.engine.ranges import merged
from rag.stores.engine.store import EngineStore
from rag.stores.infinity.process import PROCESS, translate_errors
from rag.stores.infinity.schema import (
    CHUNKS,
    MOST_RANGES,
    RECORDS,
    between,
    create_tables,
    drop_tables,
    has_dim,
    to_chunk,
    to_filter,
    to_row,
    to_sparse,
)
from rag.types import Chunk, Vector

_AT_ONCE = 500


class InfinityStore(EngineStore):
    """`rag.stores.Store` at ``infinity:FOLDER``."""

    def __init__(self, url: str) -> None:
        super().__init__(Infinity(Path(url.partition(":")[2]).expanduser()), url)


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
        with PROCESS.lock, translate_errors(self._folder):
            if self._held is None:
                self._held = PROCESS.enter(self._folder)
            yield self._held

    @contextmanager
    def _table(self, name: str) -> Iterator[Any]:
        with self._database() as database:
            yield database.get_table(name)

    def _there(self) -> bool:
        """Whether there is an index; the check creates no folder."""
        if self._held is None and not (self._folder / "config.toml").exists():
            return False
        with self._database() as database:
            return {CHUNKS, RECORDS} <= set(database.list_tables().table_names)

    def state(self) -> str | None:
        if not self._there():
            return None
        found = self._rows(RECORDS, ["body"], "key = 'state'")["body"]
        return str(found[0]) if found else None

    def set_state(self, text: str) -> None:
        self._set("state", "state", text)

    def _set(self, key: str, kind: str, body: str) -> None:
        """Write a record, replacing the one with the same key, in one transaction."""
        with self._table(RECORDS) as table:
            if self._rows(RECORDS, ["key"], f"key = '{key}'")["key"]:
                table.update(f"key = '{key}'", {"body": body})
            else:
                table.insert([{"key": key, "kind": kind, "number": 0, "body": body}])

    def create(self, dim: int) -> bool:
        with self._database() as database:
            if self._there():
                return has_dim(database, dim)
            create_tables(database, dim)
        return True

    def drop(self) -> None:
        with self._database() as database:
            drop_tables(database)

    def claims(self) -> dict[str, str]:
        found = self._rows(RECORDS, ["key", "body"], "kind = 'claim'")
        return dict(zip(found["key"], found["body"], strict=True))

    def claim(self, owner: str, text: str | None) -> None:
        if text is not None:
            self._set(owner, "claim", text)
            return
        with self._table(RECORDS) as table:
            table.delete(f"key = '{owner}'")

    def add_chunks(self, rows: Sequence[Row]) -> None:
        with self._table(CHUNKS) as table:
            for i in range(0, len(rows), _AT_ONCE):
                table.insert([to_row(row) for row in rows[i : i + _AT_ONCE]])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        rows = [{"key": f"{kind}-{n}", "kind": kind, "number": n, "body": body} for n, body in records.items()]
        with self._table(RECORDS) as table:
            for i in range(0, len(rows), _AT_ONCE):
                table.insert(rows[i : i + _AT_ONCE])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found = self._rows(RECORDS, ["number", "body"], f"kind = '{kind}' and {between('number', first, last)}")
        return dict(sorted(zip(found["number"], found["body"], strict=True)))

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        for each in ranges:
            part = between("number", *each)
            with self._table(CHUNKS) as table:
                table.delete(part)
            with self._table(RECORDS) as table:
                for kind in ("document", "segment"):
                    table.delete(f"kind = '{kind}' and {part}")

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:  # noqa: ARG002
        return self._search("match_dense", ("dense", query.tolist(), "float", "ip", n), among)

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        hashes = sorted(weights)
        asked = to_sparse(hashes, [weights[each] for each in hashes])
        return [each for each in self._search("match_sparse", ("terms", asked, "ip", n), among) if each[1] > 0]

    def _search(self, how: str, arguments: tuple[Any, ...], among: EngineFilter) -> ScoredNumbers:
        chosen = to_filter(among)
        with self._table(CHUNKS) as table:
            query = getattr(table.output(["number", "_similarity"]), how)
            found = query(*arguments, *([{"filter": chosen}] if chosen else [])).to_result()[0]
        return list(zip(found["number"], found["SIMILARITY"], strict=True))

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: to_chunk(body) for number, body in self._get(numbers, "body").items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        return {number: unpack(b64decode(text)) for number, text in self._get(numbers, "counts").items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        return {number: np.array(held, np.float32) for number, held in self._get(numbers, "dense").items()}

    def _get(self, numbers: Sequence[int], field: str) -> dict[int, Any]:
        """The field of these chunks; a condition takes ranges of numbers, or about a hundred single ones."""
        found: dict[int, Any] = {}
        runs = merged((int(each), int(each)) for each in set(numbers))
        for i in range(0, len(runs), MOST_RANGES):
            condition = " or ".join(between("number", *each) for each in runs[i : i + MOST_RANGES])
            part = self._rows(CHUNKS, ["number", field], condition)
            found |= dict(zip(part["number"], part[field], strict=True))
        return found

    def _rows(self, table: str, fields: list[str], condition: str) -> dict[str, list[Any]]:
        with self._table(table) as held:
            return dict(held.output(fields).filter(condition).to_result()[0])

    def optimise(self) -> None:
        """Nothing to do: there is no index structure to build."""

    def close(self) -> None:
        with PROCESS.lock:
            if self._held is not None:
                self._held = None
                PROCESS.leave()
