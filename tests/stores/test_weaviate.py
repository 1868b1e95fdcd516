"""Weaviate through LangChain's class, against a server that speaks its wire format: the service was never met."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from contracts.store import GUIDE, MANIFEST, document, fill, passages, texts_of, unit
from helpers.servers.elasticsearch_postgresql import free_port
from helpers.servers.weaviate_wire import KEY, REST_OF_A_CLASS, Wire, serving
from weaviate.proto.v1 import batch_pb2

from rag.errors import ConfigError, EmbedderMismatch, IndexLocked, IndexMissing, StoreError
from rag.stores import Store, open_store
from rag.types import Manifest, Where

pytestmark = pytest.mark.stores


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def url(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)
    with serving(wire) as found:
        yield found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


def filled(store: Store) -> Store:
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    return store


def refused(url: str) -> str:
    """What reading and writing at `url` say, one and the same line."""
    said = set()
    for act in ("manifest", "documents", "write"):
        store = open_store(url)
        with pytest.raises(StoreError) as caught:
            store.write(MANIFEST).__enter__() if act == "write" else getattr(store, act)()
        store.close()
        said.add(str(caught.value))
    (line,) = said
    assert "\n" not in line
    return line


def test_written_found_replaced_and_removed(url: str, store: Store, wire: Wire) -> None:
    assert store.manifest() is None
    with pytest.raises(IndexMissing):
        store.dense(unit([1, 0, 0, 0])[0], 2)
    assert wire.classes == {}  # reading makes nothing
    filled(store)
    assert store.url == url
    assert set(wire.held) == {"Docs"}
    assert sum(bool(each.vector_bytes) for each in wire.held["Docs"].values()) == 8
    again = open_store(url)
    assert again.manifest() == MANIFEST
    found = again.dense(unit([1, 0, 0, 0])[0], 2)
    assert texts_of(again, found)[0] == GUIDE[0]
    assert [each.score for each in found] == pytest.approx([1, 0.5**0.5], abs=1e-3)
    assert len(again.dense(unit([1, 1, 1, 1])[0], 9, Where(type="pdf"))) == 3
    with again.write(MANIFEST) as writer:
        with pytest.raises(IndexLocked), store.write(MANIFEST):
            pass
        writer.put(document("guide/props.md"), passages("guide/props.md", ["New."]), unit([-1, 0, 0, 0]))
        assert writer.remove(["manual.pdf"]) == 1
        writer.commit()
    assert sum(bool(each.vector_bytes) for each in wire.held["Docs"].values()) == 3
    assert texts_of(store, store.dense(unit([-1, 0, 0, 0])[0], 1)) == ["New."]
    assert store.lexical(["new"], 3) == []
    again.close()


def test_nothing_is_left_of_a_write_without_a_commit(store: Store, wire: Wire) -> None:
    with store.write(MANIFEST) as writer:
        fill(writer)
    assert wire.held == {}
    assert store.manifest() is None


def test_a_local_one_has_no_key(url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEAVIATE_API_KEY")
    wire.key = ""
    store = open_store(url)
    assert len(filled(store).documents()) == 3
    store.close()


def test_the_key_in_the_url_is_not_shown(url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEAVIATE_API_KEY")
    store = open_store(url.replace("://", f"://:{KEY}@"))
    assert store.manifest() is None
    assert store.url == url
    store.close()


@pytest.mark.parametrize("key", ["", "wv-wrong"])
def test_bad_keys(url: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_API_KEY", key)
    said = refused(url)
    assert re.fullmatch(r"the Weaviate at 127\.0\.0\.1:\d+ refuses the key: set WEAVIATE_API_KEY", said)


def test_nobody_there(url: str) -> None:
    grpc_port = url.rpartition("=")[2]
    assert "127.0.0.1:1 cannot be reached (" in refused(f"weaviate://127.0.0.1:1/docs?grpc={grpc_port}")
    closed = free_port()
    said = refused(url.replace(f"grpc={grpc_port}", f"grpc={closed}"))
    assert re.search(
        rf"the gRPC of the Weaviate at \S+ cannot be reached at 127\.0\.0\.1:{closed} .*\?grpc=", said
    )


def test_the_name_of_anothers_collection(url: str, wire: Wire) -> None:
    wire.classes["Docs"] = {**REST_OF_A_CLASS, "class": "Docs", "vectorizer": "none", "properties": None}
    wire.held["Docs"] = {}
    assert re.search(r"the collection Docs of the Weaviate at \S+ was not made by ragstone", refused(url))
    assert wire.held["Docs"] == {}


def test_vectors_of_another_size(url: str, store: Store, wire: Wire) -> None:
    filled(store)
    other = Manifest("hashed", "weights-1", 3, terms=MANIFEST.terms, chunker=MANIFEST.chunker)
    with pytest.raises(EmbedderMismatch, match="dim 4"), store.write(other):
        pass
    wire.held["Docs"] = {}  # a writer that was killed before its first commit had left the collection
    with store.write(other) as writer:
        writer.put(document("a.md"), passages("a.md", ["a"]), unit([1, 0, 0]))
        writer.commit()
    assert wire.classes["Docs"]["description"] == "ragstone index, vectors of 3 numbers"


@pytest.mark.parametrize(("size", "said"), [(10, "don't match: 10 vs 4"), (0, "is read-only")])
def test_what_is_not_taken_is_said(
    store: Store, wire: Wire, size: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    filled(store)
    kept = {key: each for key, each in wire.held["Docs"].items() if not each.vector_bytes}
    wire.held["Docs"] = kept | {"x": batch_pb2.BatchObject(vector_bytes=bytes(4 * size))}
    wire.unwritable = "second"
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(StoreError, match=rf"^the Weaviate at \S+ failed \(.*{said}.*\): run the command again$"),
        store.write(MANIFEST) as writer,
    ):
        writer.put(document("b.md"), passages("b.md", ["first", "second"]), unit(*[[1, 0, 0, 0]] * 2))
        writer.commit()
    assert said not in caplog.text
    assert len(store.documents()) == 3


def test_a_server_that_is_too_old(url: str, wire: Wire) -> None:
    wire.version = "1.26.4"
    assert re.search(
        r"is too old \(Weaviate version 1\.26\.4 is not supported\. .*1\.27\.0 or higher", refused(url)
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("weaviate://h/1docs", "name '1docs'"),
        ("weaviate://h/docs?grpc=x", "'x' is no port"),
        ("weaviate://h/docs?grpc=8080", "a port of its own"),
        ("weaviate://:s3cret@h/docs?speed=9", "'speed'"),
    ],
)
def test_an_address_that_is_none(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)
