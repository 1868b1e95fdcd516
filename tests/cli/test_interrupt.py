"""Ctrl-C ends a command within a second, whatever it is doing; what was finished is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

LATEST = 60.0  # seconds; one is promised, the tests' machine may be busy, and what hangs does so for good

# What a command can be doing: waiting for a thread, computing in C without Python's lock, sleeping in Python.
WORK = {
    "in Python": "time.sleep(600)",
    "waiting for a thread": "t = threading.Thread(target=time.sleep, args=(600,)); t.start(); t.join()",
    "in C": "hashlib.pbkdf2_hmac('sha256', b'a', b'b', 500_000_000)",
    "catching everything": "\nwhile True:\n    try: time.sleep(600)\n    except BaseException: pass",
    "leaving, with a thread": "\ntry: time.sleep(600)\nfinally: time.sleep(600)",
}
PROGRAM = """
import hashlib, sys, threading, time
import click
import rag.cli
@click.command()
def work():
    print("ready", flush=True)
    {work}
rag.cli.rag.add_command(work)
rag.cli.main()
"""


@pytest.mark.parametrize("work", WORK)
def test_whatever_it_is_doing(work: str) -> None:
    code = PROGRAM.format(work=WORK[work].replace("\n", "\n    "))
    done = interrupted([sys.executable, "-c", code, "work"], wait_for=b"ready\n")
    assert (done.status, done.seconds < LATEST) == (130, True), done


def test_a_second_one_ends_it_at_once() -> None:
    code = PROGRAM.format(work=WORK["leaving, with a thread"].replace("\n", "\n    "))
    done = interrupted([sys.executable, "-c", code, "work"], wait_for=b"ready\n", times=2, between=0.2)
    assert done.status in (130, -signal.SIGINT)
    assert done.seconds < LATEST


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.8, 1.2])
def test_a_search_at_any_moment(index: str, delay: float) -> None:
    code = "from rag.__main__ import main; print('ready', flush=True); main()"
    done = interrupted(
        [sys.executable, "-c", code, "search", "warranty", "--index", index], wait_for=b"ready\n", delay=delay
    )
    assert done.seconds < LATEST
    assert b"Traceback" not in done.err


@pytest.mark.models
@pytest.mark.parametrize("delay", [0.5, 1.5])
def test_while_the_language_model_is_loaded(index: str, delay: float) -> None:
    """Its loader keeps Python's lock; an interrupt inside it waits for a thread for ever."""
    done = interrupted(
        [sys.executable, "-c", LOAD.format(delay=delay), "ask", "What is the warranty?", "--index", index],
        wait_for=b"loading\n",
        delay=delay,
    )
    assert done.seconds < LATEST
    assert done.status in (130, -signal.SIGINT)


LOAD = """
import rag.llms.local.engine as engine
begun = engine._params
def params(*a):
    print("loading", flush=True)
    return begun(*a)
engine._params = params
from rag.cli import main
main()
"""


class Done:
    """How a process that was interrupted ended."""

    def __init__(self, status: int, seconds: float, out: bytes, err: bytes) -> None:
        self.status, self.seconds, self.out, self.err = status, seconds, out, err

    def __repr__(self) -> str:
        return f"status {self.status} after {self.seconds:.2f} s: {self.out[-500:]!r} {self.err[-500:]!r}"


def interrupted(
    arguments: list[str] | tuple[str, ...],
    *,
    wait_for: bytes = b"",
    delay: float = 0.0,
    times: int = 1,
    between: float = 0.0,
    cwd: Path | None = None,
) -> Done:
    """Run a command, press Ctrl-C, and see how long it takes to end."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=cwd
    ) as process:
        assert process.stdout and process.stderr
        seen = b""
        while wait_for and not seen.endswith(wait_for):
            byte = os.read(process.stdout.fileno(), 1)
            assert byte, process.stderr.read()
            seen += byte
        time.sleep(delay)
        pressed = time.monotonic()
        for n in range(times):
            time.sleep(between if n else 0)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(LATEST)
        except subprocess.TimeoutExpired:
            process.kill()
        seconds = time.monotonic() - pressed
        out, err = process.communicate()
        return Done(process.returncode, seconds, seen + out, err)
