"""An index in Milvus 2.4 or newer, or in a file by Milvus Lite: two collections.

`name` has a row for each chunk with a dense and a sparse vector: the hashes of the chunk's terms as
indices and their saturated counts as values, so that its product with the question's weights is BM25 for
a fixed mean length; `rag.stores.engine.store` makes it exact. `name_records` has the documents, the frequencies
of terms, the state and the claims. All reads use the consistency level Strong: they see all earlier writes.
"""

from __future__ import annotations

import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rag.errors import StoreError
from rag.stores._tuned import EF
from rag.stores.common.address import Address, parse
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, unpack
from rag.stores.engine.store import EngineStore
from rag.stores.milvus.connection import (
    SECONDS,
    connect,
    disconnect,
    name_server,
    query_when_loaded,
    translate_errors,
)
from rag.stores.milvus.schema import (
    BODY,
    CHUNK_FIELDS,
    between,
    create_collection,
    to_chunk,
    to_filter,
    to_record,
    to_row,
)
from rag.types import Chunk, Vector

_NAMES = r"[A-Za-z_]\w{0,200}"
_FILE = "ragstone"  # the name of the index in a file
_AT_ONCE = 128  # rows in one request
_MOST = 16_384  # rows that Milvus returns at once
_EF_EXACT = 16_384  # candidates: more than there are, so that nothing is missed


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
        self._server = name_server(where)
        self._held: Any = None
        self._lock = threading.Lock()

    @property
    def _client(self) -> Any:
        """The connection, made at first use, because opening a file creates it."""
        with self._lock:
            if self._held is None:
                self._held = connect(self._where)
            return self._held

    def _absent(self) -> bool:
        return isinstance(self._where, Path) and not self._where.exists()

    def state(self) -> str | None:
        if self._absent():
            return None
        with translate_errors(self._server):
            if not self._client.has_collection(self._records, timeout=SECONDS):
                self._dim()
                return None
            # The first read of all.
            names = self._name, self._records
            found = query_when_loaded(self._client, names, lambda: self._query('key == "state"'))
            if not found:
                self._dim()
                return None
        text = str(found[0]["body"])
        return zlib.decompress(b64decode(text)).decode() if not text.startswith("{") else text

    def set_state(self, text: str) -> None:
        if len(text) > BODY:
            text = b64encode(zlib.compress(text.encode())).decode("ascii")
        if len(text) > BODY:
            raise StoreError(
                f"{self._server} cannot take so many removals in one commit: remove fewer files at once"
            )
        self._put(self._records, [to_record("state", "state", 0, text)])

    def create(self, dim: int) -> bool:
        with translate_errors(self._server):
            there = self._dim()
            if there is None:
                create_collection(self._client, self._name, "number", dim)
                there = dim
            if not self._client.has_collection(self._records, timeout=SECONDS):
                create_collection(self._client, self._records, "key", 2)
        return there == dim

    def _dim(self) -> int | None:
        """The dimension of the index, None if there is none. Raises StoreError for a foreign collection."""
        if not self._client.has_collection(self._name, timeout=SECONDS):
            return None
        fields = {each["name"]: each for each in self._client.describe_collection(self._name)["fields"]}
        if set(fields) != CHUNK_FIELDS:
            raise StoreError(
                f"the collection {self._name} of {self._server} was not made by ragstone: "
                "name another index with --index"
            )
        return int(fields["dense"]["params"]["dim"])

    def drop(self) -> None:
        with translate_errors(self._server):
            for name in (self._name, self._records):
                if self._client.has_collection(name, timeout=SECONDS):
                    self._client.drop_collection(name, timeout=SECONDS)

    def claims(self) -> dict[str, str]:
        with translate_errors(self._server):
            return {str(each["key"]): str(each["body"]) for each in self._query('kind == "claim"')}

    def claim(self, owner: str, text: str | None) -> None:
        if text is not None:
            self._put(self._records, [to_record(owner, "claim", 0, text)])
            return
        with translate_errors(self._server):
            self._client.delete(self._records, ids=[owner], timeout=SECONDS)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        self._put(self._name, [to_row(row) for row in rows])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._put(self._records, [to_record(f"{kind}-{n}", kind, n, body) for n, body in records.items()])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found: dict[int, str] = {}
        with translate_errors(self._server):
            for start in range(first, last + 1, _MOST):
                part = between("number", start, min(last, start + _MOST - 1))
                found |= {int(r["number"]): str(r["body"]) for r in self._query(f'kind == "{kind}" and {part}')}
        return found

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        with translate_errors(self._server):
            for each in ranges:
                part = between("number", *each)
                self._client.delete(self._name, filter=part, timeout=SECONDS)
                kinds = 'kind in ["document", "segment"]'
                self._client.delete(self._records, filter=f"{kinds} and {part}", timeout=SECONDS)

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        ef = _EF_EXACT if exact else max(EF, 2 * n)
        return self._search(query, "dense", n, among, {"ef": min(ef, 32_768)})

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        return self._search(dict(weights), "terms", n, among, {"drop_ratio_search": 0.0})

    def _search(
        self, vector: Any, field: str, n: int, among: EngineFilter, params: dict[str, Any]
    ) -> ScoredNumbers:
        with translate_errors(self._server):
            found = self._client.search(
                self._name, data=[vector], anns_field=field, limit=min(n, _MOST), filter=to_filter(among),
                search_params={"metric_type": "IP", "params": params}, output_fields=["number"], timeout=SECONDS,
            )  # fmt: skip
        return [(int(hit["number"]), float(hit["distance"])) for hit in found[0]]

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        return {number: to_chunk(body) for number, body in self._get(numbers, "body").items()}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        return {number: unpack(b64decode(text)) for number, text in self._get(numbers, "counts").items()}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        return {number: np.array(held, np.float32) for number, held in self._get(numbers, "dense").items()}

    def _get(self, numbers: Sequence[int], field: str) -> dict[int, Any]:
        found: dict[int, Any] = {}
        with translate_errors(self._server):
            for i in range(0, len(numbers), 1000):
                ids = [int(each) for each in numbers[i : i + 1000]]
                rows = self._client.get(self._name, ids=ids, output_fields=["number", field], timeout=SECONDS)
                found |= {int(row["number"]): row[field] for row in rows}
        return found

    def optimise(self) -> None:
        with translate_errors(self._server):
            self._client.flush(self._name, timeout=SECONDS)

    def close(self) -> None:
        with self._lock:
            if self._held is not None:
                disconnect(self._held, self._where)
                self._held = None

    def _put(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        with translate_errors(self._server):
            for i in range(0, len(rows), _AT_ONCE):
                self._client.upsert(name, list(rows[i : i + _AT_ONCE]), timeout=SECONDS)

    def _query(self, filter_: str) -> list[dict[str, Any]]:
        fields = ["key", "number", "body"]
        return list(
            self._client.query(self._records, filter=filter_, output_fields=fields, limit=_MOST, timeout=SECONDS)
        )
