"""The real server on a port of loopback, in a thread of the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.samples import pdf
from helpers.scripted import ScriptedLLM

from rag import RAG
from rag.llms import LLM
from rag.server.app import create_app, create_service
from rag.server.indexes import Indexes
from rag.server.options import Options
from rag.server.run import address, listen, server_for

FILES: dict[str, str | bytes] = {
    "office.md": "# Office\n\n## Parking\n\nThe car park opens at 7:30 and closes at 21:00. "
    "Bicycles stand in the yard.\n\n## Kitchen\n\nThe kitchen is cleaned on Fridays. Coffee is free.\n",
    "保修.md": "# 保修政策\n\n燕鸥咖啡机的保修期为二十四个月。密封圈不在保修范围内。\n",
    "people.csv": "name,city,extension\nAnna Lindqvist,Leeds,7741\n王小梅,杭州,8802\n",
    "manual.pdf": pdf(
        ["Tern manual\nThe tank holds 1.8 litres.", "Care\nDescale the boiler every 400 cups.\n每四百杯除垢一次。"]
    ),
}
SCRIPT = {
    "How often is the boiler descaled?": "Descale the boiler every 400 cups.",
    "car park": "The car park opens at 7:30.",
}


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


@contextmanager
def serving_notes(folder: Path) -> Iterator[str]:
    """A server over `FILES`, whose model says what `SCRIPT` says; the folder of the documents may be ingested."""
    url = make_index(folder, FILES)
    with serving(
        {"notes": url}, ScriptedLLM(SCRIPT), uploads=folder / "up", roots=(folder / "docs",), slow=1.0
    ) as base:
        yield base
