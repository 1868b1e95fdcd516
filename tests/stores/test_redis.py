"""Redis with search: the contract on a real server, and what only that can suffer."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.server_store import ServerContract
from contracts.store import MANIFEST, document, fill, passages, unit
from helpers.servers import qdrant_redis_milvus as servers

from rag.errors import StoreError
from rag.stores import open_store
from rag.stores.faiss.store import FaissStore

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    running = servers.Server(servers.redis, tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", servers.PASSWORD)


@pytest.fixture
def url(server: servers.Server) -> str:
    return f"redis://127.0.0.1:{server.port}/t_{uuid.uuid4().hex[:12]}"


class TestRedisStore(ServerContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[servers.Server]:
        running = servers.Server(servers.redis, tmp_path / "own")
        yield running
        running.stop()

    @pytest.fixture
    def own_url(self, own: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr("rag.stores.engine.lease.LEASE", 2.0)
        return f"redis://127.0.0.1:{own.port}/own"


def test_a_wrong_password_is_said_and_not_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_PASSWORD", "wr0ng")
    for each in (url, url.replace("://", "://:s3cret@"), url.replace("://", "://someone:s3cret@")):
        store = open_store(each)
        for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
            with pytest.raises(StoreError, match=r"the Redis at 127\.0\.0\.1:\d+ refuses the password") as caught:
                act()
            assert not {"wr0ng", "s3cret"} & set(str(caught.value).replace(":", " ").split())
        assert "s3cret" not in store.url
        store.close()


def test_no_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_PASSWORD")
    store = open_store(url)
    with pytest.raises(StoreError, match="password: set REDIS_PASSWORD"):
        store.manifest()
    store.close()


def test_a_password_in_the_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_PASSWORD")
    store = open_store(url.replace("://", f"://:{servers.PASSWORD}@"))
    assert store.manifest() is None
    assert store.url == url
    store.close()


def test_nobody_there() -> None:
    store = open_store(f"redis://127.0.0.1:{servers.free_port()}/docs")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+ cannot be reached .*: start it"):
        store.manifest()
    store.close()


def test_the_name_of_anothers_index(url: str, server: servers.Server) -> None:
    import redis

    name = url.rpartition("/")[2]
    client = redis.Redis(port=server.port, password=servers.PASSWORD)
    client.execute_command("FT.CREATE", name, "PREFIX", 1, "doc:", "SCHEMA", "title", "TEXT")
    store = open_store(url)
    for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
        with pytest.raises(StoreError, match=f"the search index {name} at .* was not made by ragstone"):
            act()
    assert client.keys(f"{name}*") == []
    store.close()
    client.close()


def test_a_server_that_is_too_old(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.stores.redis.connection._OLDEST", (2, 99))
    store = open_store(url)
    said = r"^the Redis at \S+ has RediSearch 2\.10\.\d+: 2\.99 or newer is needed$"
    for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
        with pytest.raises(StoreError, match=said):
            act()
    store.close()


def test_a_user_who_may_not_ask_for_the_version(url: str, server: servers.Server) -> None:
    import redis

    with redis.Redis(port=server.port, password=servers.PASSWORD) as client:
        client.execute_command("ACL", "SETUSER", "plain", "on", ">word", "~*", "+@all", "-info")
    store = open_store(url.replace("://", "://plain:word@"))
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    assert len(store.documents()) == 3
    store.close()


def test_a_redis_without_search(tmp_path: Path) -> None:
    bare = servers.Server(servers.redis_without_search, tmp_path)
    store = open_store(f"redis://127.0.0.1:{bare.port}/docs")
    with pytest.raises(StoreError, match="has no search: Redis 8, or Redis Stack"):
        store.manifest()
    store.close()
    bare.stop()


def test_no_better_chunk_is_missed(url: str, tmp_path: Path) -> None:
    """Redis weighs terms in its own way, so that its candidates might lack a chunk: not among 2,000 of 3,000.

    A question sees 440 candidates, and its terms are in up to all chunks.
    """
    chance = random.Random(11)
    words = [f"word{i}" for i in range(400)]
    weights = [1 / (i + 1) for i in range(400)]
    made = {
        f"{i}.md": [" ".join(chance.choices(words, weights, k=chance.randint(4, 160))) for _ in range(50)]
        for i in range(60)
    }
    embedded, store = FaissStore(tmp_path / "embedded"), open_store(url)
    for each in (embedded, store):
        with each.write(MANIFEST) as writer:
            for source, texts in made.items():
                writer.put(document(source), passages(source, texts), unit(*[[1, 0, 0, 0]] * 50))
            writer.commit()
            writer.remove([f"{i}.md" for i in range(0, 60, 3)])
            writer.commit()
    for _ in range(60):
        question = chance.choices(words, weights, k=chance.randint(1, 8))
        expected, found = embedded.lexical(question, 10), store.lexical(question, 10)
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-5), question
    embedded.close()
    store.close()
