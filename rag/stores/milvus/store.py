"""An index in Milvus 2.4 or newer, or in a file by Milvus Lite: two collections.

`name` has a row for each chunk with a dense and a sparse vector: the hashes of the chunk's terms as
indices and their saturated counts as values, so that its product with the question's weights is BM25 for
a fixed mean length; `rag.stores.engine.store` makes it exact. `name_records` has the documents, the frequencies
of terms, the state and the claims. All reads use the consistency level Strong: they see all earlier writes.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.errors import MissingExtra, StoreError
from rag.stores.common.address import Address, parse
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, pack, unpack
from rag.stores.engine.records import chunk_fields, chunk_from
from rag.stores.engine.store import EngineStore
from rag.types import Chunk, Vector

try:
    import grpc
    from pymilvus import DataType, MilvusClient
    from pymilvus.exceptions import MilvusException
except ImportError as error:
    raise MissingExtra("a store in Milvus", "pymilvus", "milvus") from error

_NAMES = r"[A-Za-z_]\w{0,200}"
_FILE = "ragstone"  # the name of the index in a file
_AT_ONCE = 128  # rows in one request
_MOST = 16_384  # rows that Milvus returns at once
_BODY = 65_535  # bytes of a text, at most, in Milvus
_SECONDS = 60.0
_OLDEST = (2, 4)  # sparse vectors
_EF, _EF_EXACT = (
    256,
    16_384,
)  # candidates of the graph search; the second is more than there are, so that nothing is missed
_QUIET = ("pymilvus", "milvus_lite")  # they print every error; we report it in one line

# A server that was restarted is found at once, not after up to two minutes.
_GRPC = {"grpc.use_local_subchannel_pool": 1, "grpc.max_reconnect_backoff_ms": 1000}
_FILES: Counter[Path] = Counter()  # how many stores of this process have the file open
_FILES_LOCK = threading.Lock()

for _name in _QUIET:
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class MilvusStore(EngineStore):
    """`rag.stores.Store` at ``milvus://[user:password@]host:19530/name[?tls=1]`` or in ``milvus:FILE.db``.

    A token, in place of user and password, also from MILVUS_TOKEN. ``ca_certs=FILE`` has the certificate of
    an authority that this machine does not know.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith("milvus://"):
            super().__init__(Milvus(Path(url.partition(":")[2]).expanduser()), url)
            return
        address = parse(url, 19_530, _NAMES, ("tls", "ca_certs"))
        super().__init__(Milvus(address), address.shown if address.password or address.user else url)


class Milvus:
    """`rag.stores.engine.protocol.Engine` on two collections."""

    kind = "HNSW, float32"
    slack = 1.0

    def __init__(self, where: Address | Path) -> None:
        self._where = where
        self._name = where.name if isinstance(where, Address) else _FILE
        self._records = f"{self._name}_records"
        self._server = (
            f"the Milvus at {where.server}" if isinstance(where, Address) else f"the Milvus file {where}"
        )
        self._held: Any = None
        self._lock = threading.Lock()

    @property
    def _client(self) -> Any:
        """The connection, made at first use, because opening a file creates it."""
        with self._lock:
            if self._held is None:
                self._held = self._connect()
            return self._held

    def _connect(self) -> Any:
        if isinstance(self._where, Path):
            return _open_file(self._where)
        scheme = "https" if self._where.flag("tls") else "http"
        user, password = self._where.user, self._where.password
        token = f"{user or 'root'}:{password}" if password else os.environ.get("MILVUS_TOKEN", "")
        authority = dict(self._where.options).get("ca_certs", "")
        trusted = {"server_pem_path": authority} if authority else {}
        client = MilvusClient(
            uri=f"{scheme}://{self._where.server}", token=token, timeout=20, grpc_options=_GRPC, **trusted
        )
        version = client.get_server_version()
        number = re.match(r"v?(\d+)\.(\d+)", version)
        if number and tuple(map(int, number.groups())) < _OLDEST:
            client.close()
            raise StoreError(f"{self._server} is {version}: {'.'.join(map(str, _OLDEST))} or newer is needed")
        return client

    def _absent(self) -> bool:
        return isinstance(self._where, Path) and not self._where.exists()

    def state(self) -> str | None:
        if self._absent():
            return None
        with self._translate_errors():
            if not self._client.has_collection(self._records, timeout=_SECONDS):
                self._dim()
                return None
            found = self._first_query()
            if not found:
                self._dim()
                return None
        text = str(found[0]["body"])
        return zlib.decompress(b64decode(text)).decode() if not text.startswith("{") else text

    def _first_query(self) -> list[dict[str, Any]]:
        """The state record, the first read: a restarted server may not have loaded the collection yet."""
        try:
            return self._query('key == "state"')
        except MilvusException as error:
            if "load" not in str(error):
                raise
        for name in (self._name, self._records):
            self._client.load_collection(name, timeout=_SECONDS)
        return self._query('key == "state"')

    def set_state(self, text: str) -> None:
        if len(text) > _BODY:
            text = b64encode(zlib.compress(text.encode())).decode("ascii")
        if len(text) > _BODY:
            raise StoreError(
                f"{self._server} cannot take so many removals in one commit: remove fewer files at once"
            )
        self._put(self._records, [_record("state", "state", 0, text)])

    def create(self, dim: int) -> bool:
        with self._translate_errors():
            there = self._dim()
            if there is None:
                self._create(self._name, "number", dim)
                there = dim
            if not self._client.has_collection(self._records, timeout=_SECONDS):
                self._create(self._records, "key", 2)
        return there == dim

    def _create(self, name: str, key: Literal["number", "key"], dim: int) -> None:
        """The collection of chunks (by number), or that of records (by key)."""
        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("number", DataType.INT64, is_primary=key == "number")
        schema.add_field("body", DataType.VARCHAR, max_length=_BODY)
        schema.add_field(
            "dense", DataType.FLOAT_VECTOR, dim=dim
        )  # records have one because Milvus requires a vector
        index = MilvusClient.prepare_index_params()
        index.add_index("dense", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 128})
        if key == "key":
            schema.add_field("key", DataType.VARCHAR, max_length=100, is_primary=True)
            schema.add_field("kind", DataType.VARCHAR, max_length=20)
        else:
            schema.add_field("page", DataType.INT64)
            schema.add_field("type", DataType.VARCHAR, max_length=200)
            schema.add_field("counts", DataType.VARCHAR, max_length=_BODY)
            schema.add_field("terms", DataType.SPARSE_FLOAT_VECTOR)
            index.add_index("terms", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        self._client.create_collection(
            name, schema=schema, index_params=index, consistency_level="Strong", timeout=_SECONDS
        )

    def _dim(self) -> int | None:
        """The dimension of the index, None if there is none. Raises StoreError for a foreign collection."""
        if not self._client.has_collection(self._name, timeout=_SECONDS):
            return None
        fields = {each["name"]: each for each in self._client.describe_collection(self._name)["fields"]}
        if set(fields) != {"number", "body", "counts", "dense", "page", "type", "terms"}:
            raise StoreError(
                f"the collection {self._name} of {self._server} was not made by ragstone: "
                "name another index with --index"
            )
        return int(fields["dense"]["params"]["dim"])

    def drop(self) -> None:
        with self._translate_errors():
            for name in (self._name, self._records):
                if self._client.has_collection(name, timeout=_SECONDS):
                    self._client.drop_collection(name, timeout=_SECONDS)

    def claims(self) -> dict[str, str]:
        with self._translate_errors():
            return {str(each["key"]): str(each["body"]) for each in self._query('kind == "claim"')}

    def claim(self, owner: str, text: str | None) -> None:
        if text is not None:
            self._put(self._records, [_record(owner, "claim", 0, text)])
            return
        with self._translate_errors():
            self._client.delete(self._records, ids=[owner], timeout=_SECONDS)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        self._put(self._name, [self._row(row) for row in rows])

    def _row(self, row: Row) -> dict[str, Any]:
        c = row.chunk
        body = json.dumps(chunk_fields(c), ensure_ascii=False)
        if (size := len(body.encode())) > _BODY:
            raise StoreError(
                f"a chunk of {c.source} has {size} bytes and Milvus takes {_BODY}: use shorter chunks"
            )
        terms = dict(zip(row.hashes.tolist(), row.weights.tolist(), strict=True))
        return {
            "number": row.number, "page": -1 if c.page is None else c.page, "type": row.type, "body": body,
            "counts": b64encode(pack(row)).decode("ascii"),
            "dense": row.vector, "terms": terms or {0: 1e-9},  # Milvus accepts no empty vector
        }  # fmt: skip

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._put(self._records, [_record(f"{kind}-{n}", kind, n, body) for n, body in records.items()])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found: dict[int, str] = {}
        with self._translate_errors():
            for start in range(first, last + 1, _MOST):
                part = _between("number", start, min(last, start + _MOST - 1))
                found |= {int(r["number"]): str(r["body"]) for r in self._query(f'kind == "{kind}" and {part}')}
        return found

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        with self._translate_errors():
            for each in ranges:
                part = _between("number", *each)
                self._client.delete(self._name, filter=part, timeout=_SECONDS)
                kinds = 'kind in ["document", "segment"]'
                self._client.delete(self._records, filter=f"{kinds} and {part}", timeout=_SECONDS)

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        ef = _EF_EXACT if exact else max(_EF, 2 * n)
        return self._search(query, "dense", n, among, {"ef": min(ef, 32_768)})

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        return self._search(dict(weights), "terms", n, among, {"drop_ratio_search": 0.0})

    def _search(
        self, vector: Any, field: str, n: int, among: EngineFilter, params: dict[str, Any]
    ) -> ScoredNumbers:
        with self._translate_errors():
            found = self._client.search(
                self._name, data=[vector], anns_field=field, limit=min(n, _MOST), filter=_filter(among),
                search_params={"metric_type": "IP", "params": params}, output_fields=["number"], timeout=_SECONDS,
            )  # fmt: skip
        return [(int(hit["number"]), float(hit["distance"])) for hit in found[0]]

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: _chunk(body) for number, body in self._get(numbers, "body").items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        return {number: unpack(b64decode(text)) for number, text in self._get(numbers, "counts").items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        return {number: np.array(held, np.float32) for number, held in self._get(numbers, "dense").items()}

    def _get(self, numbers: Sequence[int], field: str) -> dict[int, Any]:
        found: dict[int, Any] = {}
        with self._translate_errors():
            for i in range(0, len(numbers), 1000):
                ids = [int(each) for each in numbers[i : i + 1000]]
                rows = self._client.get(self._name, ids=ids, output_fields=["number", field], timeout=_SECONDS)
                found |= {int(row["number"]): row[field] for row in rows}
        return found

    def optimise(self) -> None:
        with self._translate_errors():
            self._client.flush(self._name, timeout=_SECONDS)

    def close(self) -> None:
        with self._lock:
            if self._held is not None:
                self._held.close()
                self._held = None
                if isinstance(self._where, Path):
                    _close_file(self._where)

    def _put(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        with self._translate_errors():
            for i in range(0, len(rows), _AT_ONCE):
                self._client.upsert(name, list(rows[i : i + _AT_ONCE]), timeout=_SECONDS)

    def _query(self, filter_: str) -> list[dict[str, Any]]:
        fields = ["key", "number", "body"]
        return list(
            self._client.query(self._records, filter=filter_, output_fields=fields, limit=_MOST, timeout=_SECONDS)
        )

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise what the client raises as a StoreError of one line."""
        try:
            yield
        except (MilvusException, grpc.RpcError, OSError, RuntimeError, ValueError) as error:
            raise StoreError(f"{self._server} {_refusal(error)}") from error


def _open_file(path: Path) -> Any:
    """A connection to the server that Milvus Lite runs for a file, inside this process."""
    try:
        import milvus_lite.server_manager  # noqa: F401
    except ImportError as error:
        raise MissingExtra("a Milvus file", "milvus-lite", "milvus") from error
    with _FILES_LOCK:
        path.parent.mkdir(parents=True, exist_ok=True)
        client = MilvusClient(uri=str(path.absolute()))
        _FILES[path.absolute()] += 1
    return client


def _close_file(path: Path) -> None:
    """Release the file for other processes when no store here uses it any more."""
    from milvus_lite.server_manager import server_manager_instance

    with _FILES_LOCK:
        _FILES[path.absolute()] -= 1
        if not _FILES[path.absolute()]:
            server_manager_instance.release_server(str(path.absolute()))


def _refusal(error: Exception) -> str:
    said = " ".join(str(getattr(error, "message", "") or error).split())[:300]
    low = said.lower()
    if isinstance(error.__cause__, grpc.Call) and "CERTIFICATE" in (why := str(error.__cause__.details())):
        said = " ".join(why.rpartition("SSL routines:")[2].split())[:200]
        return f"has a certificate that is not trusted ({said}): name its authority's with ?tls=1&ca_certs=FILE"
    if "auth" in low or "permission" in low or "privilege" in low:
        return "refuses the user or the password: set MILVUS_TOKEN to user:password, or give them in the URL"
    if "lock" in low or "open local milvus" in low:
        return "cannot be opened: wait for another process that uses it to end (Milvus Lite lets one in at a time)"
    if isinstance(error, grpc.RpcError) or "connect" in low or "unavailable" in low or "deadline" in low:
        return f"cannot be reached ({said}): start it, or look at the address given with --index"
    return f"refused a request ({said}): run the command again"


def _record(key: str, kind: str, number: int, body: str) -> dict[str, Any]:
    return {"key": key, "kind": kind, "number": number, "body": body, "dense": [1.0, 0.0]}


def _between(field: str, first: int, last: int) -> str:
    return f"({field} >= {first} and {field} <= {last})"


def _filter(among: EngineFilter) -> str:
    parts: list[str] = []
    if among.ranges is not None:
        parts.append("(" + " or ".join(_between("number", *each) for each in among.ranges) + ")")
    if among.type is not None:
        parts.append(f"type == {json.dumps(among.type, ensure_ascii=False)}")
    if among.pages is not None:
        parts.append(_between("page", max(among.pages[0], 0), among.pages[1]))
    return " and ".join(parts)


def _chunk(body: str) -> Chunk:
    return chunk_from(json.loads(body))
