"""Pinecone through LangChain's class, against a server that speaks its wire format: the service was never met."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from contracts.store import GUIDE, MANIFEST, document, fill, passages, texts_of, unit
from helpers.servers.http import Reply, Request, answering

from rag.errors import ConfigError, IndexLocked, StoreError
from rag.stores import open_store
from rag.types import Where

pytestmark = pytest.mark.stores

KEY = "pc-secret-0123"


class Wire:
    """What Pinecone's data plane answers. Numbers of metadata come back as floats, as they do there."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, dict[str, object]]] = {}
        self.late = 0  # fetches that do not yet see what was written

    def reply(self, request: Request) -> Reply:
        if request.headers["Api-Key"] != KEY:
            return Reply({"code": 16, "message": "Invalid API key"}, 401)
        url = urlsplit(request.path)
        if url.path == "/vectors/fetch":
            asked = parse_qs(url.query)
            space = self.held.get(asked.get("namespace", [""])[0], {})
            self.late -= 1
            found = {} if self.late >= 0 else {each: space[each] for each in asked["ids"] if each in space}
            return Reply({"vectors": found, "namespace": "", "usage": {"readUnits": 1}})
        body = request.body
        space = self.held.setdefault(body.get("namespace", ""), {})
        if url.path == "/vectors/upsert":
            for each in body["vectors"]:
                metadata = {k: float(v) if isinstance(v, int) else v for k, v in each["metadata"].items()}
                assert len(str(metadata)) < 40_000
                space[each["id"]] = {**each, "metadata": metadata}
            return Reply({"upsertedCount": len(body["vectors"])})
        if url.path == "/vectors/delete":
            for each in body["ids"]:
                space.pop(each, None)
            return Reply({})
        assert url.path == "/query"
        assert body["topK"] <= 1000
        near = {key: float(np.dot(each["values"], body["vector"])) for key, each in space.items()}
        best = sorted(near, key=lambda each: -near[each])[: body["topK"]]
        matches = [{"id": key, "score": near[key], "metadata": space[key]["metadata"]} for key in best]
        return Reply({"matches": matches, "namespace": "", "usage": {"readUnits": 1}})


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def url(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PINECONE_API_KEY", KEY)
    with answering(wire.reply) as (address, _):
        yield f"pinecone://{address.partition('://')[2]}/docs?tls=0"


def test_written_found_replaced_and_removed(url: str, wire: Wire) -> None:
    store = open_store(url)
    assert store.manifest() is None
    with store.write(MANIFEST) as writer:
        fill(writer)
        writer.commit()
    assert store.url == url
    assert set(wire.held) == {"docs", "docs-records"}
    assert set(wire.held["docs"]["2"]) == {"id", "values", "metadata"}
    store = open_store(url)
    assert store.manifest() == MANIFEST
    found = store.dense(unit([1, 0, 0, 0])[0], 2)
    assert texts_of(store, found)[0] == GUIDE[0]
    assert [each.score for each in found] == pytest.approx([1, 0.5**0.5], abs=1e-3)
    assert len(store.dense(unit([1, 1, 1, 1])[0], 9, Where(type="pdf"))) == 3
    with store.write(MANIFEST) as writer:
        with pytest.raises(IndexLocked), open_store(url).write(MANIFEST):
            pass
        writer.put(document("guide/props.md"), passages("guide/props.md", ["New."]), unit([-1, 0, 0, 0]))
        assert writer.remove(["manual.pdf"]) == 1
        writer.commit()
    assert len(wire.held["docs"]) == 3
    assert texts_of(store, store.dense(unit([-1, 0, 0, 0])[0], 1)) == ["New."]
    assert store.lexical(["new"], 3) == []


def test_what_is_written_is_waited_for(url: str, wire: Wire) -> None:
    store = open_store(url)
    with store.write(MANIFEST) as writer:
        fill(writer)
        wire.late = 3
        writer.commit()
    assert len(store.documents()) == 3


def test_a_long_record_goes_in_parts(url: str, wire: Wire) -> None:
    engine = open_store(url)._engine  # type: ignore[attr-defined]
    engine.create(4)
    bodies = {1: "x" * 70_000 + "end", 2: "short"}
    engine.add_records("segment", bodies)
    assert engine.records("segment", 1, 2) == bodies


def test_bad_keys(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "pc-wrong")
    with pytest.raises(StoreError, match=r"^the Pinecone at 127\.0\.0\.1:\d+ refuses the key") as caught:
        open_store(url).manifest()
    assert "pc-wrong" not in str(caught.value)
    monkeypatch.delenv("PINECONE_API_KEY")
    with pytest.raises(ConfigError, match="set PINECONE_API_KEY"):
        open_store(url)


def test_nobody_there(url: str) -> None:
    with pytest.raises(StoreError, match=r"^the Pinecone at 127\.0\.0\.1:1 failed \([^\n]*\): run"):
        open_store("pinecone://127.0.0.1:1/docs?tls=0").manifest()
