"""Elasticsearch 8: the contract on a real server, and what only a server can suffer."""

from __future__ import annotations

import json
import platform
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from contracts.engine_store import RemoteContract, one_line
from contracts.store import DIM, MANIFEST, Open, StoreContract, document, fill, passages, texts_of, unit
from elasticsearch import Elasticsearch
from helpers.servers import elasticsearch_postgresql as servers
from helpers.servers.http import self_signed

from rag.errors import ConfigError, IndexLocked, StoreError
from rag.stores import open_store
from rag.stores.elasticsearch.store import ElasticsearchStore
from rag.text import TERMS
from rag.types import Manifest

pytestmark = pytest.mark.stores

OTHER = Manifest("other", "weights-9", 2, terms=TERMS)


@pytest.fixture
def server(elasticsearch_server: servers.Server) -> servers.Server:
    return elasticsearch_server


@pytest.fixture
def url(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ELASTICSEARCH_PASSWORD", servers.PASSWORD)
    return f"elasticsearch://elastic@127.0.0.1:{server.port}/t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(server: servers.Server) -> Iterator[Elasticsearch]:
    with Elasticsearch(f"http://127.0.0.1:{server.port}", basic_auth=("elastic", servers.PASSWORD)) as found:
        yield found


@pytest.fixture
def store(url: str) -> Iterator[ElasticsearchStore]:
    opened = ElasticsearchStore(url)
    yield opened
    opened.close()


class TestElasticsearchStore(StoreContract, RemoteContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url

    @pytest.fixture
    def small_exact(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("rag.stores.elasticsearch.store.EXACT_IN_DATABASE", 99)

    def test_nothing_of_a_write_without_commit_stays_but_the_lock(
        self, opened: Open, client: Elasticsearch
    ) -> None:
        store = opened()
        with store.write(MANIFEST) as writer:
            fill(writer)
        name = store.url.rpartition("/")[2]
        assert set(client.indices.get(index=f"{name}*")) == {f"{name}-control"}


def test_an_index_of_another_program_is_left_alone(
    url: str, store: ElasticsearchStore, client: Elasticsearch
) -> None:
    name = url.rpartition("/")[2]
    client.indices.create(index=name)
    for action in (store.documents, lambda: store.write(MANIFEST).__enter__()):
        with pytest.raises(StoreError) as error:
            action()
        one_line(error, name, "another name")
    assert set(client.indices.get(index=f"{name}*")) == {name}


def test_a_rebuild_takes_the_place_of_the_index_in_one_step(
    url: str, store: ElasticsearchStore, client: Elasticsearch
) -> None:
    name = url.rpartition("/")[2]
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    (first,) = client.indices.get_alias(index=name)
    with pytest.raises(ZeroDivisionError), store.rebuild(OTHER) as writer:
        raise ZeroDivisionError
    with store.rebuild(OTHER) as writer:
        writer.put(document("new.md"), passages("new.md", ["New."]), unit([1, 0]))
        writer.commit()
        assert store.manifest() == MANIFEST
        assert len(store.documents()) == 3
        assert texts_of(store, store.lexical(["ref"], 1)) == ["A ref holds one value."]
    assert store.manifest() == OTHER
    assert texts_of(store, store.dense(unit([1, 0])[0], 9)) == ["New."]
    (second,) = client.indices.get_alias(index=name)
    assert second != first
    assert not client.indices.exists(index=first)
    with store.write(OTHER) as writer:
        assert writer.remove(["new.md"]) == 1


def test_what_a_killed_writer_left_is_cleared_away(store: ElasticsearchStore, client: Elasticsearch) -> None:
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    name = store.url.rpartition("/")[2]
    (index,) = client.indices.get_alias(index=name)
    state = client.get(index=f"{name}-control", id="state")["_source"]
    (first,) = client.search(index=index, query={"term": {"id": 1}}, size=1)["hits"]["hits"]
    late = {**first["_source"], "document": state["document"], "id": state["next"], "terms": "ref", "length": 1}
    client.index(index=index, id=f"c{state['next']}", document={**late, "vector": [1, 0, 0, 0]}, refresh=True)
    assert len(store.lexical(["ref"], 9)) == 1  # nobody sees it
    assert len(store.dense(unit([1, 0, 0, 0])[0], 99)) == 8
    with store.write(MANIFEST):
        pass
    assert client.count(index=index)["count"] == 8 + 3


def test_a_lock_is_free_after_its_time(store: ElasticsearchStore, client: Elasticsearch) -> None:
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    control = f"{store.url.rpartition('/')[2]}-control"
    far = {"owner": "x", "pid": 1, "host": f"not-{platform.node()}", "since": 0}
    client.index(index=control, id="lock", document={**far, "until": 4_000_000_000_000})
    with pytest.raises(IndexLocked, match=r"process 1 on not-.* since 1970"), store.write(MANIFEST):
        pass
    client.index(index=control, id="lock", document={**far, "until": 1_700_000_000_000})
    with store.write(MANIFEST) as writer:
        assert writer.remove(["manual.pdf"]) == 1
        client.index(index=control, id="lock", document={**far, "until": 4_000_000_000_000})
        writer._lease._renewed = 0.0  # a computer that slept
        with pytest.raises(IndexLocked, match=r"taken over by process 1 on"):
            writer.commit()
    assert len(store.documents()) == 3


def test_a_pipeline_of_the_cluster_makes_the_vectors(url: str, client: Elasticsearch) -> None:
    pipeline = f"p-{uuid.uuid4().hex[:8]}"
    script = (
        "int n = ctx.passage.length(); ctx.vector = [n % 2 == 0 ? 1.0 : 0.0, n % 2 == 0 ? 0.0 : 2.0, 0.0, 0.0]"
    )
    client.ingest.put_pipeline(id=pipeline, processors=[{"script": {"source": script}}])
    store = ElasticsearchStore(f"{url}?pipeline={pipeline}")
    with store.write(MANIFEST) as writer:
        chunks = list(passages("a.md", ["even", "odd"]))
        writer.put(document("a.md"), chunks, np.empty((2, 0), np.float32))
        writer.commit()
    lengths = [len("Top > Part 0\neven"), len("Top > Part 1\nodd")]
    even = [text for text, n in zip(["even", "odd"], lengths, strict=True) if n % 2 == 0]
    query = store.embed(["xx", "x"])
    assert query.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    found = store.dense(query[0], 9)
    assert texts_of(store, found)[0] == even[0]
    assert [each.score for each in found] == pytest.approx([1, 0], abs=1e-6)
    assert store.rows("a.md")[2].shape == (2, DIM)
    client.ingest.put_pipeline(id=pipeline, processors=[{"set": {"field": "type", "value": "md"}}])
    with pytest.raises(StoreError) as error, store.write(MANIFEST) as writer:
        writer.put(document("b.md"), passages("b.md", ["b"]), np.empty((1, 0), np.float32))
        writer.commit()
    one_line(error, pipeline, "without a vector")
    assert set(store.documents()) == {"a.md"}
    client.ingest.delete_pipeline(id=pipeline)
    with pytest.raises(StoreError, match=f"no ingest pipeline {pipeline}"), store.write(MANIFEST):
        pass
    store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("elasticsearch://h/Name", "small letters"),
        ("elasticsearch://h:9200/", "no name"),
        ("elasticsearch://h/name?verify=no", "no option 'verify'"),
    ],
)
def test_a_url_that_is_none(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_store(url)


@contextmanager
def answering(body: object, product: str, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that gives this answer to everything; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if product:
                self.send_header("X-Elastic-Product", product)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(HTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what is tested."""

    with Quiet(("127.0.0.1", 0), Handler) as served:
        if context is not None:
            served.socket = context.wrap_socket(served.socket, server_side=True)
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield served.server_port
        served.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("version", "product", "said"),
    [
        ("7.17.0", "Elasticsearch", "is Elasticsearch 7.17.0: use 8.11"),
        ("9.1.0", "Elasticsearch", "is Elasticsearch 9.1.0"),
        ("2.5.0", "", "is not Elasticsearch"),
    ],
)
def test_a_server_that_is_another(version: str, product: str, said: str) -> None:
    with answering({"version": {"number": version}}, product) as port:
        store = open_store(f"elasticsearch://127.0.0.1:{port}/name")
        with pytest.raises(StoreError) as error:
            store.documents()
        one_line(error, said, f"127.0.0.1:{port}")
        store.close()


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering({"version": {"number": "7.0.0"}}, "Elasticsearch", context) as port:
        url = f"elasticsearch+https://127.0.0.1:{port}/name"
        store = open_store(url)
        with pytest.raises(StoreError) as error:
            store.documents()
        one_line(error, "certificate", f"127.0.0.1:{port}", "ca_certs")
        store.close()
        vouched = open_store(f"{url}?ca_certs={certificate}")
        with pytest.raises(StoreError, match=r"Elasticsearch 7\.0\.0"):
            vouched.documents()
        vouched.close()
