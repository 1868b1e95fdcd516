"""What can be wrong before a server is even asked: each is one line that says what to do."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.servers.http import self_signed

from rag.errors import ConfigError, MissingExtra, StoreError
from rag.stores import open_store


@pytest.mark.parametrize(
    ("url", "module", "package", "extra"),
    [
        ("qdrant://h/docs", "qdrant", "qdrant_client", "qdrant"),
        ("redis://h/docs", "redis", "redis", "redis"),
        ("milvus://h/docs", "milvus", "pymilvus", "milvus"),
        ("infinity:folder", "infinity", "infinity_embedded", "infinity"),
        ("pinecone://h/docs", "pinecone", "langchain_pinecone", "pinecone"),
        ("weaviate://h/docs", "weaviate", "langchain_weaviate", "weaviate"),
        ("postgresql://h/db?table=docs", "postgresql", "psycopg", "postgresql"),
        ("elasticsearch://h/docs", "elasticsearch", "elasticsearch", "elasticsearch"),
    ],
)
def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch, url: str, module: str, package: str, extra: str) -> None:
    for name in list(sys.modules):
        if name == f"rag.stores.{module}" or name.startswith(f"rag.stores.{module}_"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"needs the package \S+: pip install 'ragstone\[{extra}\]'"):
        open_store(url).manifest()


@pytest.mark.parametrize("url", ["solr://h/docs", "chroma:x", "faiss:", "nothing"])
def test_an_unknown_scheme(url: str) -> None:
    with pytest.raises(ConfigError, match=r"no store is reached by '\w+': use faiss:FOLDER"):
        open_store(url)


@pytest.fixture(scope="module")
def unvouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of a TLS server whose certificate nobody vouches for, which says nothing, and the certificate."""
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield int(listener.getsockname()[1]), certificate
    listener.close()


@pytest.mark.parametrize(
    "url",
    [
        "qdrant://127.0.0.1:{}/docs?tls=1",
        "rediss://127.0.0.1:{}/docs",
        "milvus://127.0.0.1:{}/docs?tls=1",
        "weaviate://127.0.0.1:{}/docs?tls=1",
    ],
)
def test_a_certificate_that_nobody_vouches_for(unvouched: tuple[int, Path], url: str) -> None:
    port, _ = unvouched
    store = open_store(url.format(port))
    with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{port} .*certificate") as caught:
        store.manifest()
    assert "\n" not in str(caught.value)
    store.close()


@pytest.mark.parametrize("url", ["qdrant://127.0.0.1:{}/docs?tls=1", "rediss://127.0.0.1:{}/docs"])
def test_an_authority_of_ones_own(unvouched: tuple[int, Path], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port, certificate = unvouched
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    store = open_store(url.format(port))
    with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{port} cannot be reached") as caught:
        store.manifest()
    assert "certificate" not in str(caught.value).lower()
    store.close()
