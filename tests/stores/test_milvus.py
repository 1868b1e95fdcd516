"""Milvus Lite, as a file and as a server that speaks as a cluster does: the contract and more.

Milvus Lite has no users: a wrong password is not tested here.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from contracts.server_store import ROOT, RemoteContract, ServerContract
from contracts.store import MANIFEST, fill
from helpers.servers import qdrant_redis_milvus as servers
from helpers.servers.http import self_signed
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

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
        monkeypatch.setattr("rag.stores.engine.lease.LEASE", 2.0)
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


class Old(milvus_pb2_grpc.MilvusServiceServicer):  # type: ignore[misc]
    """A Milvus that says little more than its version."""

    def Connect(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.ConnectResponse(identifier=1)

    def GetVersion(self, request: Any, context: Any) -> Any:  # noqa: N802
        return milvus_pb2.GetVersionResponse(version="v2.3.5")


def test_tls(tmp_path: Path) -> None:
    """Milvus Lite has neither TLS nor a version of Milvus: this one says that it is too old once it is trusted."""
    certificate, key = self_signed(tmp_path)
    served = grpc.server(ThreadPoolExecutor(2))
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(Old(), served)
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    port = served.add_secure_port("127.0.0.1:0", credentials)
    served.start()
    for options, said in (
        (
            "?tls=1",
            r"has a certificate that is not trusted \(.*CERTIFICATE.*\): name its authority's with \?tls=1&ca",
        ),
        (f"?tls=1&ca_certs={certificate}", r"is v2\.3\.5: 2\.4 or newer is needed$"),
    ):
        store = open_store(f"milvus://127.0.0.1:{port}/docs{options}")
        with pytest.raises(StoreError, match=rf"^the Milvus at 127\.0\.0\.1:{port} {said}") as caught:
            store.manifest()
        assert "\n" not in str(caught.value)
        store.close()
    served.stop(None).wait()


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
