"""The reader process: the loaders at the far end of two pipes (`ingest.reader_pool` holds the near end).

It imports the loaders and nothing else, and speaks length-prefixed JSON; nothing is unpickled.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import struct
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from ingest.loaders import LoadOptions, load
from ingest.long_pages import split_long_pages
from rag.errors import LoadError, Skip, one_line
from rag.types import Page

HEAD = struct.Struct(">Q")
BATCH_CHARS, BATCH_SECONDS = 1 << 20, 0.5
"""A reader sends what it has after so many characters, or so long."""


def send(pipe: IO[bytes], message: dict[str, Any]) -> None:
    # Names of files may hold bytes that are no text; "surrogatepass" carries them.
    data = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pipe.write(HEAD.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes], most: int) -> tuple[dict[str, Any], int]:
    """The next message and its bytes; `EOFError` at the end, `ValueError` for more bytes than `most`."""
    (size,) = HEAD.unpack(_exactly(pipe, HEAD.size))
    if size > most:
        raise ValueError(f"a message of {size} bytes")
    message: dict[str, Any] = json.loads(_exactly(pipe, size).decode("utf-8", "surrogatepass"))
    return message, size


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError("the other side is gone")
    return data


def serve() -> None:
    """Read files as they are asked for on stdin, until stdin ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no message
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who then stops us
    _limit_memory(int(sys.argv[2]))
    logging.basicConfig(level=logging.WARNING, handlers=[_ToParent(out)])
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    while True:
        job = jobs.get()
        options = LoadOptions(**{**job["options"], "csv_text": tuple(job["options"]["csv_text"])})
        _answer(out, Path(job["path"]), options)


def _listen(jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Take jobs while others are being read, so that the end of the parent ends us at once."""
    try:
        while True:
            jobs.put(receive(sys.stdin.buffer, 1 << 20)[0])
    except (EOFError, OSError, ValueError):
        os._exit(0)


def _answer(out: IO[bytes], path: Path, options: LoadOptions) -> None:
    try:
        _send_pages(out, load(path, options))
        send(out, {"kind": "end"})
    except Skip as reason:
        send(out, {"kind": "skip", "text": str(reason)})
    except LoadError as error:
        send(out, {"kind": "error", "text": one_line(error, 200)})
    except MemoryError:
        send(out, {"kind": "memory"})


def _send_pages(out: IO[bytes], pages: Iterable[Page]) -> None:
    batch: list[Any] = []
    chars, sent = 0, time.monotonic()
    for page in split_long_pages(pages):
        headings = [[h.offset, h.level, h.title] for h in page.headings]
        batch.append([page.text, page.number, headings, page.label, page.title, page.place, page.offset, page.ocr])
        chars += len(page.text) + len(page.place) + 100
        if chars > BATCH_CHARS or time.monotonic() - sent > BATCH_SECONDS:
            send(out, {"kind": "pages", "pages": batch})
            batch, chars, sent = [], 0, time.monotonic()
    send(out, {"kind": "pages", "pages": batch})


def _limit_memory(most: int) -> None:
    """Bound the address space where the kernel does that (Linux); elsewhere only time is bounded."""
    if sys.platform != "linux":
        return
    import resource

    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY:  # `ulimit -v`: it can be lowered, not raised
        most = min(most, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


class _ToParent(logging.Handler):
    """Sends our loaders' warnings to the parent, who knows where they go."""

    def __init__(self, out: IO[bytes]) -> None:
        super().__init__()
        self._out = out
        self.addFilter(logging.Filter("ingest"))

    def emit(self, record: logging.LogRecord) -> None:
        send(self._out, {"kind": "log", "level": record.levelno, "text": record.getMessage()})
