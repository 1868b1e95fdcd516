"""Milvus Lite, as a file and as a server that speaks as a cluster does: the contract and more.

Milvus Lite has no users: a wrong password is not tested here.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers_q_r_m as servers
from contracts.store import MANIFEST, fill
from remote import ROOT, RemoteContract, ServerContract

from rag.errors import StoreError
from rag.stores import open_store

pytestmark = pytest.mark.stores


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    running = servers.Server(servers.milvus, tmp_path_factory.mktemp("milvus"))
    yield running
    running.stop()


@pytest.fixture
def url(server: servers.Server) -> str:
    return f"milvus://127.0.0.1:{server.port}/t_{uuid.uuid4().hex[:12]}"


class TestMilvusServer(ServerContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[servers.Server]:
        running = servers.Server(servers.milvus, tmp_path / "own")
        yield running
        running.stop()

    @pytest.fixture
    def own_url(self, own: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr("rag.stores.lease.LEASE", 2.0)
        return f"milvus://127.0.0.1:{own.port}/own"


class TestMilvusFile(RemoteContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"milvus:{tmp_path / '索引 1.db'}"

    def test_opening_makes_nothing(self, url: str, tmp_path: Path) -> None:
        store = open_store(url)
        assert store.manifest() is None
        store.close()
        assert list(tmp_path.iterdir()) == []

    def test_a_file_in_use_by_another_process(self, url: str) -> None:
        store = open_store(url)
        with store.write(MANIFEST) as writer:
            fill(writer)
            writer.commit()
        code = (
            "import sys\nfrom rag.stores import open_store\n"
            "try:\n    open_store(sys.argv[1]).documents()\n"
            "except Exception as error:\n    print(type(error).__name__, error)\n"
        )
        command = [sys.executable, "-c", code, url]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert said.startswith("StoreError the Milvus file ")
        assert "one in at a time" in said
        assert said.count("\n") == 1
        store.close()


def test_nobody_there() -> None:
    store = open_store(f"milvus://127.0.0.1:{servers.free_port()}/docs")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:\d+ cannot be reached .*: start it"):
        store.manifest()
    store.close()


def test_the_name_of_anothers_collection(url: str, server: servers.Server) -> None:
    from pymilvus import MilvusClient

    name = url.rpartition("/")[2]
    client = MilvusClient(uri=f"http://127.0.0.1:{server.port}")
    client.create_collection(name, dimension=4)
    store = open_store(url)
    for act in (store.manifest, store.documents, store.write(MANIFEST).__enter__):
        with pytest.raises(StoreError, match=f"the collection {name} of .* was not made by ragstone"):
            act()
    store.close()
    client.close()
