"""What the tests share: no network but loopback, an index, a command line of its own process."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag import RAG
from rag.config import Settings
from rag.embedders.hashed import HashedEmbedder
from rag.stores import Store, open_store

ROOT = Path(__file__).parents[1]
LOOPBACK = ("127.", "::1", "localhost", "::ffff:127.")

Rag = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs `rag` with these arguments in a process of its own."""

Tree = Callable[..., Path]
"""Writes files (name → text or bytes) below a folder and returns it."""


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell starts what runs in its background deaf to Ctrl-C, and so would be every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class NetworkBlocked(ConnectionRefusedError):
    """A test reached for the network."""


@pytest.fixture(autouse=True)
def logging_stays() -> Iterator[None]:
    """A command that runs in the tests' process says how much is logged; the next test knows nothing of it."""
    level = logging.getLogger("rag").level
    yield
    logging.getLogger("rag").setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Only addresses of this machine can be connected to; processes that a test starts are their own affair."""

    def guard(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: socket.socket, address: Any, /) -> Any:
            internet = self.family in (socket.AF_INET, socket.AF_INET6)
            if internet and not str(address[0]).startswith(LOOPBACK):
                raise NetworkBlocked(f"tests have no network: {address}")
            return original(self, address)

        return connect

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guard(getattr(socket.socket, name)))
        yield


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests are not ours; where their models lie is."""
    for name in [f"RAG_{field.upper()}" for field in Settings.__dataclass_fields__] + ["RAG_CONFIG"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hashed() -> HashedEmbedder:
    return HashedEmbedder()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where an index can be made."""
    return f"faiss:{tmp_path / '索引'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    def write(files: dict[str, str | bytes], name: str = "docs") -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write


NOTES: dict[str, str | bytes] = {
    "office.md": "# Office\n\n## Parking\n\nThe car park opens at 7:30 and closes at 21:00. "
    "Bicycles stand in the yard.\n\n## Kitchen\n\nThe kitchen is cleaned on Fridays. Coffee is free.\n",
    "warranty.txt": "The warranty of the Tern machine lasts 24 months. It covers pumps and boilers. "
    "Seals are not covered by the warranty.\n",
    "保修.md": "# 保修政策\n\n燕鸥咖啡机的保修期为二十四个月。密封圈不在保修范围内。\n\n## 退货\n\n"
    "收到商品后 30 天内可以退货。退货运费由公司承担。\n",
    "people.csv": "name,city,extension\nAnna Lindqvist,Leeds,7741\n王小梅,杭州,8802\n",
}


@pytest.fixture
def notes(tree: Tree) -> Path:
    """A folder of four small files in two languages."""
    return tree(NOTES, "notes")


@pytest.fixture
def index(notes: Path, url: str, hashed: HashedEmbedder) -> str:
    """The URL of an index over `notes`, made with the hashed embedder."""
    with RAG.open(url, embedder=hashed, llm="none") as rag:
        report = rag.ingest(notes)
    assert (report.added, report.skipped, report.failed) == (4, [], [])
    return url


@pytest.fixture
def rag(index: str, hashed: HashedEmbedder) -> Iterator[RAG]:
    """The index opened without a language model."""
    with RAG.open(index, embedder=hashed, llm="none") as opened:
        yield opened


@pytest.fixture(scope="session")
def elasticsearch_server() -> Iterator[Any]:
    """A real one, which several modules of tests/stores use."""
    from helpers.servers.elasticsearch_postgresql import elasticsearch

    with elasticsearch() as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real Chromium, which two modules of tests/page use; with a software renderer for what WebGL draws."""
    from helpers.browsing import PATIENCE, executable
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        found = executable() or playwright.chromium.executable_path
        if not Path(found).exists():
            pytest.skip("there is no Chromium on this machine: `make test-page` installs one")
        expect.set_options(timeout=PATIENCE)
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        opened = playwright.chromium.launch(executable_path=found, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an index over `data/docs`, made with the default embedder."""
    url = f"faiss:{tmp_path_factory.mktemp('sample') / 'index'}"
    with RAG.open(url, embedder="bilingual", llm="none") as rag:
        report = rag.ingest(ROOT / "data" / "docs")
    assert (report.skipped, report.failed) == ([], [])
    return url


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the server over a few notes, which several modules of tests/server use."""
    from helpers.serving import serving_notes

    with serving_notes(tmp_path_factory.mktemp("served")) as base:
        yield base


@pytest.fixture
def run_rag(tmp_path: Path) -> Rag:
    """The command line in a process of its own, its working folder an empty one."""
    where = tmp_path / "work"
    where.mkdir()

    def run(
        *arguments: str | Path,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path = where,
        encoding: str = "utf-8",
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding=encoding,
            cwd=cwd,
            env={**environment(), **(env or {})},
            timeout=120,
            check=False,
        )

    return run


def command(*arguments: str | Path) -> Sequence[str]:
    """`rag` with these arguments, whether it is installed or not."""
    return [sys.executable, "-c", "from rag.cli import main; main()", *map(str, arguments)]


def environment() -> dict[str, str]:
    """An English terminal in UTF-8, and nothing that Python would find in the working folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1", "PYTHONPATH": str(ROOT)}
