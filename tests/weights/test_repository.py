"""A GGUF file of a repository: its hash is what the hub tells, and holds from the first fetch on."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rag.errors import HashMismatch, ModelError
from rag.weights import http
from rag.weights.repository import gguf_file, is_in_repository, known_size

NAME = "Some/Model-GGUF/model-q4_k_m.gguf"
PARTS = {f"big-0000{i}-of-00002.gguf": bytes([i]) * 3000 for i in (1, 2)}
FILES = {"model-q4_k_m.gguf": b"GGUF" + bytes(5000), "model-q8_0.gguf": b"GGUF" + bytes(9000), **PARTS}


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pages() -> dict[str, bytes]:
    """What both hubs answer, by path."""
    hub = [
        {
            "type": "file",
            "path": path,
            "size": len(data),
            "oid": "0" * 40,
            "lfs": {"oid": sha(data), "size": len(data)},
        }
        for path, data in FILES.items()
    ]
    scope = [
        {"Type": "blob", "Path": path, "Size": len(data), "Sha256": sha(data)} for path, data in FILES.items()
    ]
    small = {"type": "file", "path": "README.md", "size": 10, "oid": "0" * 40}
    served = {
        "/api/models/Some/Model-GGUF/tree/main?recursive=true": json.dumps([small, *hub]).encode(),
        "/api/v1/models/Some/Model-GGUF/repo/files?Revision=master&Recursive=true": json.dumps(
            {"Data": {"Files": scope}}
        ).encode(),
    }
    for path, data in FILES.items():
        served[f"/Some/Model-GGUF/resolve/main/{path}"] = data
        served[f"/models/Some/Model-GGUF/resolve/master/{path}"] = data
    return served


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[dict[str, bytes]]:
    """A server that is the hub and ModelScope at once; what it serves may be changed."""
    served = pages()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_HEAD(self) -> None:
            self.reply(False)

        def do_GET(self) -> None:
            self.reply(True)

        def reply(self, body: bool) -> None:
            content = served.get(self.path, b"" if self.path == "/" else None)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{sha(content)}"')
            self.send_header("X-Repo-Commit", "c" * 40)
            self.end_headers()
            if body:
                self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        address = f"http://127.0.0.1:{httpd.server_port}"
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
        monkeypatch.setenv("RAG_MODELS_DIR", f"{tmp_path}/cache")
        for name in ("RAG_MODELS_PATH", "HF_HUB_OFFLINE", "RAG_MODEL_SOURCES"):
            monkeypatch.delenv(name, raising=False)
        yield served
        httpd.shutdown()
        thread.join()
        http._no_answer.cache_clear()


@pytest.mark.parametrize("source", ["hub", "modelscope"])
def test_a_file_is_fetched_once_and_checked(
    hub: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("RAG_MODEL_SOURCES", source)
    assert known_size(NAME) == 0
    path = gguf_file(NAME)
    assert path.read_bytes() == FILES["model-q4_k_m.gguf"]
    assert known_size(NAME) == path.stat().st_size
    hub.clear()
    assert gguf_file(NAME) == path


@pytest.mark.parametrize("source", ["hub", "modelscope"])
def test_other_bytes_than_are_listed_are_not_taken(
    hub: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("RAG_MODEL_SOURCES", source)
    for path in hub:
        if path.endswith("q4_k_m.gguf"):
            hub[path] = b"EVIL" + bytes(5000)
    with pytest.raises(HashMismatch):
        gguf_file(NAME)


def test_all_parts_of_a_model_are_fetched(hub: dict[str, bytes]) -> None:
    first = gguf_file("Some/Model-GGUF/big-00001-of-00002.gguf")
    assert {path.name: path.read_bytes() for path in first.parent.glob("*.gguf")} == PARTS


def test_the_second_source_is_asked_where_the_first_has_nothing(hub: dict[str, bytes]) -> None:
    del hub["/api/models/Some/Model-GGUF/tree/main?recursive=true"]
    assert gguf_file(NAME).is_file()


def test_what_no_source_has_is_one_sentence(hub: dict[str, bytes]) -> None:
    with pytest.raises(
        ModelError, match=r"the model hub: Some/Model-GGUF has no x\.gguf; ModelScope: .* has no x"
    ):
        gguf_file("Some/Model-GGUF/x.gguf")
    with pytest.raises(ModelError, match=r"Nobody/Nothing/x\.gguf cannot be had .*\(404\)"):
        gguf_file("Nobody/Nothing/x.gguf")


@pytest.mark.parametrize(
    "listed",
    [b"<html>", b"[]", b'{"error": 1}', b'[{"lfs": {"oid": "zz", "size": 5}, "path": "model-q4_k_m.gguf"}]'],
)
def test_a_listing_that_is_none(hub: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, listed: bytes) -> None:
    monkeypatch.setenv("RAG_MODEL_SOURCES", "hub")
    hub["/api/models/Some/Model-GGUF/tree/main?recursive=true"] = listed
    with pytest.raises(ModelError):
        gguf_file(NAME)


@pytest.mark.parametrize(
    "name",
    ["model.gguf", "a/model.gguf", "a/b/c.bin", "/a/b/c.gguf", "a/b/../../c.gguf", "../a/b.gguf", "~/a/b.gguf"],
)
def test_what_names_a_file_of_this_machine(name: str) -> None:
    assert not is_in_repository(name)
