"""Pages of PDFs, and images, drawn by a process of their own within limits of time, memory and pixels."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from rag.server.failures import Failed

MOST_PIXELS = 6_000_000
WIDTHS = (400, 2000)
SECONDS = 15.0
MEMORY = 1 << 30
KEPT_BYTES = 64 << 20
KEPT_SIZES = 10_000
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from rag.server.documents.drawing_process import main; main()"
)


class Drawing:
    """Draws two pages at a time, and keeps the last ones."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(2)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._sizes: dict[tuple[str, int], tuple[float, float]] = {}

    def png(self, path: Path, sha256: str, page: int, width: int, kind: str) -> bytes:
        """A page as PNG. Raises Failed where it cannot be drawn."""
        key = (sha256, page, width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        picture = self._run({"kind": kind, "path": str(path), "page": page, "width": width, "pixels": MOST_PIXELS})
        with self._lock:
            self._kept[key] = picture
            while sum(map(len, self._kept.values())) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return picture

    def size(self, path: Path, sha256: str, page: int, kind: str) -> tuple[float, float]:
        """Width and height of a page in points, of an image in pixels. Raises Failed."""
        if (sha256, page) not in self._sizes:
            if len(self._sizes) >= KEPT_SIZES:
                self._sizes.clear()
            width, height = json.loads(self._run({"kind": kind, "path": str(path), "page": page}))
            self._sizes[sha256, page] = (width, height)
        return self._sizes[sha256, page]

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
