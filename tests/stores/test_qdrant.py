"""Qdrant: the contract on a real server, and what only that can suffer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.server_store import ServerContract
from contracts.store import MANIFEST
from helpers.servers import qdrant_redis_milvus as servers

from rag.errors import ConfigError, StoreError
from rag.stores import open_store

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    running = servers.Server(servers.qdrant, tmp_path_factory.mktemp("qdrant"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", servers.PASSWORD)


@pytest.fixture
def url(server: servers.Server) -> str:
    return f"qdrant://127.0.0.1:{server.port}/t_{uuid.uuid4().hex[:12]}"


class TestQdrantStore(ServerContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[servers.Server]:
        running = servers.Server(servers.qdrant, tmp_path / "own")
        yield running
        running.stop()

    @pytest.fixture
    def own_url(self, own: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr("rag.stores.engine.lease.LEASE", 2.0)
        return f"qdrant://127.0.0.1:{own.port}/own"


def test_a_wrong_key_is_said_and_not_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDRANT_API_KEY", "wr0ng")
    for each in (url, url.replace("://", "://:s3cret@")):
        store = open_store(each)
        for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
            with pytest.raises(StoreError, match=r"the Qdrant at 127\.0\.0\.1:\d+ refuses the key") as caught:
                act()
            assert not {"wr0ng", "s3cret"} & set(str(caught.value).replace(":", " ").split())
        assert "s3cret" not in store.url
        store.close()


def test_nobody_there() -> None:
    store = open_store(f"qdrant://127.0.0.1:{servers.free_port()}/docs")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+ cannot be reached .*: start it"):
        store.manifest()
    store.close()


def test_a_server_that_is_too_old(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.stores.qdrant.connection._OLDEST", (1, 99))
    store = open_store(url)
    for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
        with pytest.raises(StoreError, match=r"^the Qdrant at \S+ is 1\.16\.3: 1\.99 or newer is needed$"):
            act()
    store.close()


def test_something_else_there(tmp_path: Path) -> None:
    other = servers.Server(servers.redis, tmp_path)
    store = open_store(f"qdrant://127.0.0.1:{other.port}/docs")
    with pytest.raises(StoreError, match=r"the Qdrant at 127\.0\.0\.1:\d+ "):
        store.manifest()
    store.close()
    other.stop()


def test_the_name_of_anothers_collection(url: str, server: servers.Server) -> None:
    from qdrant_client import QdrantClient, models

    name = url.rpartition("/")[2]
    with pytest.warns(UserWarning, match="insecure"):
        client = QdrantClient(
            url=f"http://127.0.0.1:{server.port}", api_key=servers.PASSWORD, check_compatibility=False
        )
    client.create_collection(name, models.VectorParams(size=4, distance=models.Distance.COSINE))
    store = open_store(url)
    for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
        with pytest.raises(StoreError, match=f"the collection {name} at .* was not made by ragstone"):
            act()
    assert client.count(name).count == 0
    store.close()
    client.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("qdrant://localhost:6333/", "name ''"),
        ("qdrant://localhost:99999/docs", "no valid host and port"),
        ("qdrant://:s3cret@localhost/docs?speed=9", "'speed'"),
        ("qdrant:///docs", "host None"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)
