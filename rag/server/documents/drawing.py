"""Pages of PDFs as pictures, drawn by a process of their own within limits of time, memory and pixels."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag.server.failures import Failed

MOST_PIXELS = 6_000_000
WIDTHS = (400, 2000)
SECONDS = 15.0
MEMORY = 1 << 30
KEPT_BYTES = 64 << 20
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rag.server.documents.drawing_process import main; main()"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a quotation stands on a page of `width` by `height` points."""

    width: float
    height: float
    boxes: list[list[float]]


class Drawing:
    """Draws two pages at a time, and keeps the last ones."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(2)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()

    def png(self, path: Path, sha256: str, page: int, width: int) -> bytes:
        """A page as PNG. Raises Failed where it cannot be drawn."""
        key = (sha256, page, width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = self._run(
            {"kind": "draw", "path": str(path), "page": page, "width": width, "pixels": MOST_PIXELS}
        )
        with self._lock:
            self._kept[key] = picture
            while sum(map(len, self._kept.values())) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return picture

    def marks(self, path: Path, page: int, quote: str, at: float) -> Marks:
        """Where `quote` stands on the page, about the share `at` of its text down. Raises Failed."""
        found = json.loads(self._run({"kind": "find", "path": str(path), "page": page, "quote": quote, "at": at}))
        return Marks(found["width"], found["height"], found["boxes"])

    def _run(self, job: dict[str, Any]) -> bytes:
        """The other process's output."""
        root = str(Path(__file__).resolve().parents[3])
        with self._slots:
            try:
                done = subprocess.run(
                    [sys.executable, "-P", "-c", START, root],
                    input=json.dumps({**job, "memory": MEMORY, "seconds": SECONDS}).encode(),
                    capture_output=True,
                    timeout=SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise Failed(
                    422, f"page {job['page']} took longer than {SECONDS:.0f} s to draw", "undrawable"
                ) from None
            except OSError as error:
                raise Failed(503, f"no process can be started to draw it: {error.strerror}", "failed") from error
        if done.returncode or not done.stdout:
            raise Failed(422, f"page {job['page']} cannot be drawn", "undrawable")
        return done.stdout
