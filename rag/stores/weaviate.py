"""An index in Weaviate, through LangChain's class: dense search alone, in one collection.

Chunks have a vector and the other records of an index have none, so that no search finds those. This was
never run against the service itself: the tests serve its documented REST and gRPC wire format.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from langchain_core.documents import Document

from rag.errors import ConfigError, MissingExtra, StoreError, one_line
from rag.stores.common.address import Address, parse
from rag.stores.engine.store import EngineStore
from rag.stores.langchain import GivenVectors, LangChain, LangChainStore

_QUIET = ("langchain_weaviate", "langchain_weaviate.vectorstores", "weaviate-client")
logging.getLogger(_QUIET[0]).setLevel(logging.CRITICAL + 1)  # its import warns about a package that is not needed

try:
    import weaviate
    from langchain_weaviate import WeaviateVectorStore
    from weaviate.classes.config import ConsistencyLevel
    from weaviate.classes.data import DataObject
    from weaviate.classes.query import Filter
    from weaviate.exceptions import WeaviateConnectionError, WeaviateStartUpError
except ImportError as error:
    raise MissingExtra("a store in Weaviate", "langchain-weaviate", "weaviate") from error

_GRPC = "50051"
_MARK = "ragstone index, vectors of {} numbers"
_TEXT, _REST = "text", "rest"  # the properties of an object: its text, its metadata as JSON
_HITS = 4000  # with about 10 kB of metadata each; Weaviate returns at most 10,000 and 100 MB at once
_SIZE = 1_000_000  # characters of a record

for _name in _QUIET:  # they print what we report in one line
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class WeaviateStore(LangChainStore):
    """`rag.stores.Store` at ``weaviate://[:key@]host:8080/Name[?tls=1&grpc=50051]``.

    The key may also come from WEAVIATE_API_KEY. `grpc` is the gRPC port, or its HOST:PORT. Weaviate makes the
    first letter of a collection's name a capital.
    """

    def __init__(self, url: str) -> None:
        address = parse(url, 8080, r"[A-Za-z][A-Za-z0-9_]{0,200}", ("tls", "grpc"))
        EngineStore.__init__(self, Weaviate(address), address.shown if address.password else url)


class Weaviate(LangChain):
    """LangChain's engine on a collection that the first writer creates; connected at first use."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._collection = address.name[0].upper() + address.name[1:]
        self._grpc = _grpc_of(address)
        self._client: Any = None
        self._dim = 0  # of the collection; 0 while not known
        self._lock = threading.Lock()
        self._hits, self._size = _HITS, _SIZE
        self._name = f"the Weaviate at {address.server}"

    def state(self) -> str | None:
        with self._translate_errors():
            if not self._dim and not self._connected().collections.exists(self._collection):
                return None
            self._open()
        return super().state()

    def create(self, dim: int) -> bool:
        with self._translate_errors():
            self._open(dim)
        return self._dim == dim

    def drop(self) -> None:
        with self._translate_errors():
            self._connected().collections.delete(self._collection)
        self._dim = 0

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client, self._dim = None, 0

    def _open(self, dim: int = 0) -> None:
        """Open LangChain's class on the collection; with `dim`, create the collection if it is not there.

        Raises StoreError for another program's collection.
        """
        if self._dim:
            return
        client = self._connected()
        if not dim or client.collections.exists(self._collection):
            said = client.collections.use(self._collection).config.get(simple=True).description
            found = re.fullmatch(_MARK.format(r"(\d+)"), said or "")
            if not found:
                raise StoreError(
                    f"the collection {self._collection} of {self._name} was not made by ragstone: "
                    "name another index with --index"
                )
            dim = int(found[1])
        schema = _schema(self._collection, dim)
        self._chunks = _Vectors(client, self._collection, _TEXT, GivenVectors(), schema)
        self._records = _Vectors(client, self._collection, _TEXT, None, schema)
        self._dim = dim

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                host, port = self._grpc
                # Its own checks would ask the package index for a newer client: only the server is asked here.
                client = weaviate.connect_to_custom(
                    http_host=self._address.server.rpartition(":")[0],
                    http_port=self._address.port,
                    http_secure=self._address.flag("tls"),
                    grpc_host=host,
                    grpc_port=port,
                    grpc_secure=self._address.flag("tls"),
                    auth_credentials=self._address.password or os.environ.get("WEAVIATE_API_KEY") or None,
                    skip_init_checks=True,
                )
                try:  # otherwise the client would try for a minute
                    socket.create_connection((host.strip("[]"), port), 5).close()
                except OSError as error:
                    client.close()
                    raise StoreError(
                        f"the gRPC of {self._name} cannot be reached at {host}:{port} ({error}): "
                        "name its port with ?grpc=PORT"
                    ) from error
                self._client = client
            return self._client

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        with super()._translate_errors():
            try:
                yield
            except (WeaviateConnectionError, WeaviateStartUpError) as error:
                raise StoreError(f"{self._name} {_connection_failure(error)}") from error
            except Exception as error:
                if getattr(error, "status_code", 0) == 401:
                    raise StoreError(f"{self._name} refuses the key: set WEAVIATE_API_KEY") from error
                raise


class _Vectors(WeaviateVectorStore):  # type: ignore[misc]
    """LangChain's class, extended: ids that are no UUIDs, get by id, and an error for what was not written."""

    def add_texts(self, texts: Any, metadatas: Any = None, ids: Any = None, **options: Any) -> list[str]:  # noqa: ARG002
        # In one request: LangChain's own method waits a second for more, and only logs what was refused.
        # Written to every replica, so that each one that is read has it.
        vectors = self._embedding.embed_documents(texts) if self._embedding else [None] * len(texts)
        rows = [
            DataObject({_TEXT: text, _REST: json.dumps(rest)}, uuid=_uuid(key), vector=vector)
            for text, rest, key, vector in zip(texts, metadatas, ids, vectors, strict=True)
        ]
        answer = self._collection.with_consistency_level(ConsistencyLevel.ALL).data.insert_many(rows)
        for refused in answer.errors.values():
            raise ValueError(refused.message)
        return list(ids)

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        if not ids:
            return []
        keys = {_uuid(each): each for each in ids}
        found = self._collection.query.fetch_objects(
            filters=Filter.by_id().contains_any(list(keys)), limit=len(keys)
        ).objects
        rows = ((keys[str(each.uuid)], each.properties) for each in found)
        return [_document(key, str(held[_TEXT]), held) for key, held in rows]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        found = super().similarity_search_by_vector(embedding, k, **options)
        return [_document(None, each.page_content, each.metadata) for each in found]

    def delete(self, ids: Any = None, **options: Any) -> None:
        super().delete([_uuid(each) for each in ids], **options)


def _connection_failure(error: BaseException) -> str:
    """Why there is no connection: the client wraps the reason, but its message leaves it out."""
    if "is not supported" in str(error):
        return f"is too old ({' '.join(str(error).split())})"
    for _ in range(5):  # bounded: an exception of gRPC may be its own cause
        error = error.__cause__ or error
    said = one_line(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"has a certificate that is not trusted ({said}): give it one that this machine trusts"
    return f"cannot be reached ({said}): start it, or look at the address given with --index"


def _document(key: str | None, text: str, held: Any) -> Document:
    return Document(id=key, page_content=text, metadata=json.loads(held[_REST]))


def _uuid(key: str) -> str:
    """The id as a UUID, which Weaviate requires."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"ragstone:{key}"))


def _grpc_of(address: Address) -> tuple[str, int]:
    """Host and port of gRPC: the option is a port, or HOST:PORT. Raises ConfigError."""
    given = dict(address.options).get("grpc") or _GRPC
    host, _, port = given.rpartition(":")
    if not re.fullmatch(r"\d{1,5}", port) or int(port) > 65_535:
        raise ConfigError(f"{given!r} is no port of Weaviate's gRPC: write it as in ?grpc={_GRPC}")
    host = host or address.server.rpartition(":")[0]
    if (host, int(port)) == (address.server.rpartition(":")[0], address.port):
        raise ConfigError(
            f"Weaviate's gRPC has a port of its own, and {port} is that of the address: see ?grpc=PORT"
        )
    return host, int(port)


def _schema(name: str, dim: int) -> dict[str, Any]:
    """A collection with given vectors, and properties that are stored and not indexed."""
    unindexed = {"dataType": ["text"], "indexFilterable": False, "indexSearchable": False}
    return {
        "class": name,
        "description": _MARK.format(dim),
        "vectorizer": "none",
        "vectorIndexType": "hnsw",
        "vectorIndexConfig": {"distance": "cosine"},
        "properties": [{"name": _TEXT, **unindexed}, {"name": _REST, **unindexed}],
    }
