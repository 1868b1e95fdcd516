"""Servers for the tests, on loopback: llama.cpp's own, and ones that answer as was recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# A llama.cpp server with OpenAI's endpoints on a free port, as a user would run one; ends with its stdin.
LLAMA = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, key, kind = sys.argv[1:]
params.n_parallel, params.verbosity, params.ui, params.port = 1, -1, False, 0
params.n_ctx = 512 if kind == "embedding" else 2048
params.embedding = kind == "embedding"
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
params.hostnames, params.api_keys, params.warmup, params.cache_ram_mib = ["127.0.0.1"], [key], False, 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key: two new files in `folder`."""
    openssl = shutil.which("openssl")
    assert openssl, "the test makes a certificate with openssl"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@contextmanager
def running(program: str, *arguments: str) -> Iterator[str]:
    """The address that a Python `program` prints when it listens; it ends afterwards."""
    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", program, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@dataclass
class Request:
    path: str
    headers: Message
    body: Any
    command: str = "POST"


@dataclass
class Reply:
    """A status with a JSON body, or (`lines`) a stream of server-sent events or JSON lines."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    lines: list[str] | None = None

    def bytes(self) -> bytes:
        if self.lines is not None:
            return "".join(self.lines).encode()
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@contextmanager
def answering(reply: Callable[[Request], Reply]) -> Iterator[tuple[str, list[Request]]]:
    """The address of a server that answers with `reply`, and the requests that it got."""
    got: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.path, self.headers, json.loads(body) if body else None, self.command)
            got.append(request)
            answer = reply(request)
            content = answer.bytes()
            self.send_response(answer.status)
            kind = "text/event-stream" if answer.lines is not None else "application/json"
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(content)),
                **answer.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_DELETE = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def events(*chunks: Any) -> list[str]:
    """Server-sent events as OpenAI's protocol streams them."""
    return [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
