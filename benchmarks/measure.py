"""One process: how long until its first line, what it said, and the most memory that it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Failed(Exception):
    """A measured process failed; its last words are the message."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds` from the start of the process to its first line, `peak` bytes of its largest process."""

    seconds: float
    result: dict[str, Any]
    peak: int


def run(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Measured:
    """Start `command`, wait for its line of JSON and its end. Raises Failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - began
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
    if process.returncode or not line:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise Failed(f"exit status {process.returncode}: {' '.join(last)[:300]}")
    kilo = 1 if sys.platform == "darwin" else 1024
    return Measured(seconds, json.loads(line), usage.ru_maxrss * kilo)
