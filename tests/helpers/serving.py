"""The real server on a port of loopback, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag import RAG
from rag.llms import LLM
from rag.server.app import create_app, create_service
from rag.server.indexes import Indexes
from rag.server.options import Options
from rag.server.run import address, listen, server_for


@contextmanager
def serving(urls: dict[str, str], llm: LLM | str = "none", **options: Any) -> Iterator[str]:
    """The address of a server over these indexes, without the slash at its end."""
    wanted = Options(port=0, **options)
    indexes = Indexes(urls, llm, embedder="hashed")
    with listen(wanted) as sock:
        server = server_for(create_app(create_service(indexes, wanted)), wanted)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield address(sock, wanted.host).rstrip("/")
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "the server did not stop"


def make_index(folder: Path, files: dict[str, str | bytes]) -> str:
    """The URL of an index over these files, made with the hashed embedder."""
    for name, content in files.items():
        path = folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    url = f"faiss:{folder / 'index'}"
    with RAG.open(url, embedder="hashed", llm="none") as rag:
        report = rag.ingest(folder / "docs")
    assert (report.skipped, report.failed) == ([], [])
    return url
