"""Whatever goes wrong outside of us is one line, and nothing that a document holds steers the terminal."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Tree, command, environment

from rag import RAG
from rag.text.sanitise import terminal_json, terminal_text

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="devices, descriptors and terminals are Linux's")

COMMANDS = {
    "search": ("search", "warranty"),
    "search --json": ("search", "warranty", "--json"),
    "ask": ("ask", "warranty?", "--llm", "none"),
    "chat": ("chat", "--llm", "none"),
    "sources": ("sources",),
    "status": ("status",),
    "models": ("models", "list"),
    "help": ("--help",),
    "usage": ("nonsense",),
}


def run(
    arguments: tuple[str, ...], index: str, setup: Callable[[], object] | None = None, **options: object
) -> subprocess.CompletedProcess[bytes]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "input": b"warranty?\n"} | options
    return subprocess.run(
        command(*arguments),
        env={**environment(), "RAG_INDEX": index},
        preexec_fn=setup,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "usage"])
def test_a_full_output(index: str, name: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(COMMANDS[name], index, stdout=full)
    assert done.returncode == 1
    assert re.fullmatch(rb"error: .*No space left on device.*\n", done.stderr), done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_an_output_that_nobody_reads(index: str, name: str) -> None:
    hears, says = os.pipe()
    os.close(hears)
    done = run(COMMANDS[name], index, stdout=says)
    os.close(says)
    assert b"Traceback" not in done.stderr
    assert (done.returncode, done.stderr) == (1, b"") or name == "usage"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams(index: str, name: str, closed: tuple[int, ...]) -> None:
    done = run(COMMANDS[name], index, lambda: [os.close(each) for each in closed])
    assert b"Traceback" not in done.stderr + done.stdout
    assert done.returncode == (2 if name == "usage" else 0)


def test_what_nobody_foresaw_is_one_line(tmp_path: Path) -> None:
    code = (
        "import rag.cli, click\n@click.command()\ndef work(): raise ZeroDivisionError('a\\x1b[2J\\nb')\n"
        "rag.cli.rag.add_command(work)\nrag.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "work"], capture_output=True, env=environment(), check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, b"")
    said = "error: ZeroDivisionError: a\ufffd[2J b; `rag -v …` shows where\n"
    assert done.stderr.decode() == said
    loud = subprocess.run(
        [sys.executable, "-c", code, "-v", "work"],
        capture_output=True,
        env=environment(),
        check=False,
        cwd=tmp_path,
    )
    assert b"Traceback" in loud.stderr
    assert b"\x1b" not in loud.stderr


def test_a_folder_that_is_gone(tmp_path: Path, url: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = run(("ingest", ".", "--embedder", "hashed"), url, lambda: (os.chdir(gone), gone.rmdir()))
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"error: the working folder is gone\n"


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/usr/bin/setpriv").exists(), reason="root may enter everything"
)
def test_a_path_that_may_not_be_entered(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0)
    try:
        prefix = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
        done = subprocess.run(
            [*prefix, *command("ingest", inner, "--index", f"faiss:{tmp_path / 'i'}", "--embedder", "hashed")],
            capture_output=True, env=environment(), check=False,
        )  # fmt: skip
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert done.returncode == 1
    assert done.stderr.decode() == f"error: {inner} cannot be reached: Permission denied\n"


@pytest.mark.parametrize("limit", [200, 400, 600, 800])
def test_little_memory(index: str, limit: int, notes: Path) -> None:
    """An address space that is too small is one line, never a crash."""
    import resource

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))

    for arguments in (("search", "warranty"), ("ingest", str(notes), "--embedder", "hashed")):
        done = run(arguments, index, bound)
        assert done.returncode in (0, 1), (arguments, done)
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"\n") == done.returncode, done.stderr


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────

OSC52 = "\x1b]52;c;ZXZpbA==\x07"
HOSTILE = f"a{OSC52}b\x9b2Jc\u202ed\u200be\u061cf\u200eg\ufeffh\ufff9i\U000e0041j.md"
STEERING = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[AKG]|\x1b\[2K|\x1b\[\?2004[hl]")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", "docs", "--embedder", "hashed"), ("sources",), ("sources", "--json"), ("status",),
        ("search", HOSTILE), ("search", "warranty"), ("search", "warranty", "--json"), ("forget", HOSTILE),
        ("ask", "warranty?", "--llm", "none"), ("ask", HOSTILE, "--llm", "none", "--json"),
        ("chat", "--llm", "none"),
        ("similarity", HOSTILE, "b", "--embedder", "hashed"), ("similarity", HOSTILE, "b", "--embedder", "hashed",
        "--json"), (HOSTILE,), ("search", "x", f"--{HOSTILE}"), ("search", "x", "--page", HOSTILE),
        ("search", "x", "--index", f"faiss:{HOSTILE}"), ("search", "x", "--embedder", HOSTILE),
        ("models", "pull", HOSTILE), ("models", "path", HOSTILE), ("eval", "retrieval", HOSTILE),
        ("ingest", HOSTILE), ("copy", HOSTILE, HOSTILE), ("-v", "sources"),
    ],
    ids=lambda a: " ".join(a).replace(HOSTILE, "HOSTILE"),
)  # fmt: skip
def test_nothing_steers_the_terminal(tree: Tree, url: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    tree(
        {HOSTILE: f"# Title {OSC52}\n\nThe warranty lasts \u202e24\u200b months.\x9b2J\n", "x\x1b[2J.pdf": b"%PDF"}
    )
    with RAG.open(url, embedder="hashed", llm="none") as rag:
        rag.ingest(tmp_path / "docs")
    seen = on_a_terminal(arguments, tmp_path, {"RAG_INDEX": url})
    assert seen.strip()
    shown = COLOUR.sub("", seen.replace("\r\n", "\n").replace("\r", ""))
    assert "\x1b" not in shown, shown
    assert not STEERING.search(shown), shown
    assert "Traceback" not in shown


def on_a_terminal(arguments: tuple[str, ...], cwd: Path, env: dict[str, str]) -> str:
    """What a command prints on a pseudo-terminal."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=cwd,
        env={**environment(), "TERM": "xterm", **env},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        seen += part
    process.wait(60)
    os.close(ours)
    return seen.decode("utf-8")


def test_json_means_the_same() -> None:
    value = {"a": HOSTILE, "b": "中文 👩‍👩‍👧"}
    written = terminal_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value
    assert not STEERING.search(written)
    assert "中文 👩‍👩‍👧" in written


def test_text_stays() -> None:
    text = "Ünï — 中文，日本語\tمرحبا 👩‍👩‍👧\n"
    assert terminal_text(text) == text


def test_one_place_prints() -> None:
    """Only `screen.show` and `show_json` write to the terminal."""
    for path in (ROOT / "rag" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("echo", "secho") and path.name != "screen.py":
                raise AssertionError(f"{path.name}:{node.lineno} prints by itself: use screen.show")
