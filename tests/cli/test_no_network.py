"""No command reaches for the network, and none writes outside our own folders: seen by the system's own calls."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import command, environment

from rag.weights.cache import cache_dir

STRACE = shutil.which("strace")
CALLS = "trace=connect,sendto,sendmsg,sendmmsg"
UNSHARE = shutil.which("unshare")
ADDRESS = re.compile(r"sin6?_(?:addr=inet_addr|addr|port)[^\"]*\"([^\"]+)\"|inet_pton\(AF_INET6, \"([^\"]+)\"")


def can_look() -> bool:
    """Whether this machine lets us look: a network namespace, and a tracer in it."""
    if sys.platform != "linux" or not STRACE or not UNSHARE:
        return False
    done = subprocess.run([UNSHARE, "-rn", STRACE, "-f", "-qq", "true"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not can_look(), reason="needs strace and a network namespace"),
]


def reached(arguments: tuple[str, ...], home: Path, url: str) -> set[str]:
    """The addresses that a command connects or sends to, without a way out of this machine."""
    log = home.parent / "calls"
    kept = {k: v for k, v in environment().items() if not k.startswith(("XDG_", "HF_", "ORT_", "DO_NOT"))}
    done = subprocess.run(
        [str(UNSHARE), "-rn", str(STRACE), "-f", "-qq", "--seccomp-bpf", "-e", CALLS,
         "-o", str(log), *command(*arguments)],
        env={**kept, "HOME": str(home), "RAG_INDEX": url, "RAG_MODELS_DIR": str(cache_dir())},
        cwd=home, input="What lasts 24 months?\n", capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    found = {a or b for a, b in ADDRESS.findall(log.read_text(encoding="utf-8", errors="replace"))}
    return {address for address in found if not address.startswith(("127.", "::1"))}


def test_no_command_looks_for_the_network(tmp_path: Path, notes: Path, url: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for arguments in (
        ("ingest", str(notes)),
        ("search", "How long is the warranty?"),
        ("ask", "How long is the warranty?", "--llm", "none"),
        ("chat", "--llm", "none"),
        ("sources",),
        ("status",),
    ):
        assert reached(arguments, home, url) == set(), arguments
    written = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert {name for name in written if "/ragstone/" not in name} == set()


@pytest.mark.slow
def test_the_language_model_does_not_either(tmp_path: Path, notes: Path, url: str) -> None:
    assert reached(("ingest", str(notes)), tmp_path, url) == set()
    assert reached(("ask", "How long is the warranty?"), tmp_path, url) == set()


def test_a_look_up_would_be_seen(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    code = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass"
    subprocess.run(
        [str(UNSHARE), "-rn", str(STRACE), "-f", "-qq", "-e", CALLS, "-o", str(log),
         sys.executable, "-c", code],
        check=True,
    )  # fmt: skip
    assert ADDRESS.search(log.read_text(encoding="utf-8"))
