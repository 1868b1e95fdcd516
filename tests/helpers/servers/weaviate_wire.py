"""What a Weaviate server answers, as its REST and gRPC are documented: as much as a store of ours asks for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import grpc
import numpy as np
from helpers.servers.http import Reply, Request, answering
from weaviate.proto.v1 import (
    base_pb2,
    batch_delete_pb2,
    batch_pb2,
    properties_pb2,
    search_get_pb2,
    weaviate_pb2_grpc,
)

KEY = "wv-secret-0123"
_HNSW = {
    "cleanupIntervalSeconds": 300, "distance": "cosine", "dynamicEfMin": 100, "dynamicEfMax": 500,
    "dynamicEfFactor": 8, "ef": -1, "efConstruction": 128, "flatSearchCutoff": 40_000, "maxConnections": 32,
    "skip": False, "vectorCacheMaxObjects": 10**12,
}  # fmt: skip
REST_OF_A_CLASS = {
    "invertedIndexConfig": {
        "bm25": {"b": 0.75, "k1": 1.2}, "cleanupIntervalSeconds": 60,
        "stopwords": {"preset": "en", "additions": None, "removals": None},
    },
    "multiTenancyConfig": {"enabled": False}, "replicationConfig": {"factor": 1},
    "shardingConfig": {
        "virtualPerPhysical": 128, "desiredCount": 1, "actualCount": 1, "desiredVirtualCount": 128,
        "actualVirtualCount": 128, "key": "_id", "strategy": "hash", "function": "murmur3",
    },
}  # fmt: skip


class Wire(weaviate_pb2_grpc.WeaviateServicer):  # type: ignore[misc]
    """What Weaviate answers: its schema by REST, its objects by gRPC. The first vector sets the size of all."""

    def __init__(self) -> None:
        self.version = "1.36.9"
        self.key = KEY
        self.classes: dict[str, dict[str, Any]] = {}
        self.held: dict[str, dict[str, batch_pb2.BatchObject]] = {}
        self.unwritable = "no text"

    def reply(self, request: Request) -> Reply:
        if self.key and request.headers["authorization"] != f"Bearer {self.key}":
            return Reply({"code": 401, "message": "unauthorized: invalid api key"}, 401)
        if request.path == "/v1/meta":
            return Reply({"hostname": "http://[::]:8080", "version": self.version, "modules": {}})
        if request.path == "/v1/schema":
            made = request.body
            self.classes[made["class"]] = {**REST_OF_A_CLASS, **made, "vectorIndexConfig": _HNSW}
            self.held[made["class"]] = {}
            return Reply(made)
        name = request.path.removeprefix("/v1/schema/")
        if request.command == "DELETE":
            self.held.pop(name, None)
            self.classes.pop(name, None)
            return Reply({})
        return Reply(self.classes[name]) if name in self.classes else Reply(None, 404)

    def allowed(self, context: grpc.ServicerContext) -> None:
        if self.key and ("authorization", f"Bearer {self.key}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")

    def BatchObjects(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.allowed(context)
        assert request.consistency_level == base_pb2.CONSISTENCY_LEVEL_ALL
        refused = []
        for i, each in enumerate(request.objects):
            assert each.collection in self.classes
            assert UUID(each.uuid)
            assert set(each.properties.non_ref_properties) == {"text", "rest"}
            there = {len(other.vector_bytes) for other in self.held[each.collection].values()} - {0}
            if each.vector_bytes and there - {len(each.vector_bytes)}:
                said = f"vector lengths don't match: {there.pop() // 4} vs {len(each.vector_bytes) // 4}"
                refused.append(batch_pb2.BatchObjectsReply.BatchError(index=i, error=said))
            elif each.properties.non_ref_properties["text"].endswith(self.unwritable):
                refused.append(batch_pb2.BatchObjectsReply.BatchError(index=i, error="shard is read-only"))
            else:
                self.held[each.collection][each.uuid] = each
        return batch_pb2.BatchObjectsReply(took=0.1, errors=refused)

    def BatchDelete(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.allowed(context)
        gone = [each for each in asked(request.filters) if self.held[request.collection].pop(each, None)]
        return batch_delete_pb2.BatchDeleteReply(took=0.1, matches=len(gone), successful=len(gone))

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.allowed(context)
        held = self.held[request.collection]
        if request.HasField("hybrid_search"):
            assert not request.hybrid_search.query
            assert request.hybrid_search.alpha_param == 1  # by vector alone
            assert request.limit <= 10_000
            query = np.frombuffer(request.hybrid_search.vector_bytes, "<f4")
            rows = {k: np.frombuffer(v.vector_bytes, "<f4") for k, v in held.items() if v.vector_bytes}
            near = {key: float(row @ query) for key, row in rows.items()}
            keys = sorted(near, key=lambda each: -near[each])
        else:
            keys = [each for each in asked(request.filters) if each in held]
        return search_get_pb2.SearchReply(took=0.1, results=[result(held[key]) for key in keys[: request.limit]])


def asked(filters: Any) -> list[str]:
    """The ids of a filter by id, as the client and LangChain's class write it."""
    assert list(filters.on) == ["_id"] or filters.target.property == "_id"
    assert filters.operator == base_pb2.Filters.OPERATOR_CONTAINS_ANY
    return list(filters.value_text_array.values)


def result(held: batch_pb2.BatchObject) -> search_get_pb2.SearchResult:
    given = held.properties.non_ref_properties
    fields = {name: properties_pb2.Value(text_value=given[name]) for name in given}
    return search_get_pb2.SearchResult(
        metadata=search_get_pb2.MetadataResult(id_as_bytes=UUID(held.uuid).bytes, score=1, score_present=True),
        properties=search_get_pb2.PropertiesResult(non_ref_props=properties_pb2.Properties(fields=fields)),
    )


@contextmanager
def serving(wire: Wire) -> Iterator[str]:
    """The URL of an index on `wire`, served on loopback."""
    served = grpc.server(ThreadPoolExecutor(4))
    weaviate_pb2_grpc.add_WeaviateServicer_to_server(wire, served)
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    try:
        with answering(wire.reply) as (address, _):
            yield f"weaviate://{address.partition('://')[2]}/docs?grpc={port}"
    finally:
        served.stop(None).wait()
