"""Files read in processes of their own, so that one which hangs, crashes or eats memory harms no other.

`ingest.reader_process` is the other side. `Loaders` keeps a few such processes, and replaces one that had to be
stopped. The limit of memory is the kernel's (Linux); the limit of time holds everywhere.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ingest.loaders import LoadOptions
from ingest.reader_process import receive, send
from rag.errors import LoadError, Skip
from rag.types import Heading, Page

__all__ = ["Loaded", "Loaders", "Reader"]

logger = logging.getLogger(__name__)

Loaded = tuple[Page, ...] | LoadError
"""What became of a file: its pages, or why there are none (`Skip` or another `LoadError`)."""

START = (
    "import sys; r = sys.argv[1]; r in sys.path or sys.path.insert(0, r); "
    "import ingest.reader_process as m; m.serve()"
)


class Loaders:
    """A few reader processes, used as a context; leaving it stops them, whatever they are doing."""

    def __init__(self, options: LoadOptions | None = None, workers: int = 2) -> None:
        """`workers` processes, each started when it has something to read."""
        self._options = options or LoadOptions()
        self._readers = [Reader(self._options) for _ in range(max(1, workers))]
        self._idle: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(len(self._readers), thread_name_prefix="loader")
        for reader in self._readers:
            self._idle.put(reader)

    def __enter__(self) -> Loaders:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def load_all(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Loaded]]:
        """Each path with what became of it, in order, read at most two files a process ahead."""
        ahead: deque[tuple[Path, Future[Loaded]]] = deque()
        for path in paths:
            ahead.append((path, self._threads.submit(self.load, path)))
            if len(ahead) > 2 * len(self._readers):
                done, future = ahead.popleft()
                yield done, future.result()
        while ahead:
            done, future = ahead.popleft()
            yield done, future.result()

    def load(self, path: Path) -> Loaded:
        """One file, read by whichever process is free; never raises for what is in the file."""
        reader = self._idle.get()
        try:
            return reader.load(path)
        except LoadError as error:
            return error
        finally:
            self._idle.put(reader)


class Reader:
    """One reader process, started at its first file and again after it had to be stopped."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process that reads, None while there is none."""
        return self._process.pid if self._process else None

    def load(self, path: Path) -> tuple[Page, ...]:
        """The pages of a file; `LoadError` or `Skip` as `ingest.loaders.load`, or when a limit was reached.

        The limit of time: no page for `max_seconds`, or `max_seconds` and another second for each page
        so far, or ten times `max_seconds` in all, whichever comes first.
        """
        process = self._running()
        watch = _Watch(process, self._options.max_seconds)
        try:
            return self._exchange(process, path, watch)
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            self._stop()
            raise self._why(process, watch) from error
        except BaseException as error:
            if not isinstance(error, LoadError):
                self._stop()  # interrupted: what it sends now belongs to nobody
            raise
        finally:
            watch.over.set()

    def close(self) -> None:
        """Stop the process, now and for good."""
        self._closed = True
        self._stop()

    def _exchange(self, process: subprocess.Popen[bytes], path: Path, watch: _Watch) -> tuple[Page, ...]:
        assert process.stdin and process.stdout  # noqa: S101 - both are pipes
        send(process.stdin, {"path": str(path), "options": asdict(self._options)})
        pages: list[Page] = []
        room = 8 * self._options.max_chars + 256 * self._options.max_pages
        while True:
            frame, size = receive(process.stdout, room)
            room -= size
            match frame["kind"]:
                case "pages":
                    pages += [_page(item) for item in frame["pages"]]
                    watch.push(len(pages))
                case "log":
                    logger.log(int(frame["level"]), "%s: %s", path.name, frame["text"])
                case "end":
                    return tuple(pages)
                case "memory":
                    self._stop()  # what it still holds would trouble the next file
                    raise LoadError(f"needs more than {self._options.max_memory >> 20} MB of memory")
                case kind:
                    raise Skip(str(frame["text"])) if kind == "skip" else LoadError(str(frame["text"]))

    def _why(self, process: subprocess.Popen[bytes], watch: _Watch) -> LoadError:
        if self._closed:
            return LoadError("reading was stopped")
        if watch.expired:
            return LoadError(f"took longer than {watch.seconds:.0f} s")
        return LoadError(f"its reader stopped unexpectedly (exit status {process.returncode})")

    def _running(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise LoadError("reading was stopped")
            if self._process is None or self._process.poll() is not None:
                self._process = _start(self._options.max_memory)
            return self._process

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                _close(pipe)


class _Watch:
    """Kills a process when its time is over; `push` gives it more as pages come."""

    def __init__(self, process: subprocess.Popen[bytes], limit: float) -> None:
        self._process, self._limit = process, limit
        self._start = time.monotonic()
        self._deadline = self._start + limit
        self.seconds = limit
        self.expired = False
        self.over = threading.Event()
        threading.Thread(target=self._run, name="loader-watch", daemon=True).start()

    def push(self, pages: int) -> None:
        most = min(self._limit + pages, 10 * self._limit)
        self._deadline = min(time.monotonic() + self._limit, self._start + most)

    def _run(self) -> None:
        while not self.over.wait(max(0.0, self._deadline - time.monotonic())):
            if time.monotonic() >= self._deadline:
                self.seconds = time.monotonic() - self._start
                self.expired = True
                self._process.kill()
                return


def _start(max_memory: int) -> subprocess.Popen[bytes]:
    """A reader process that finds our packages where this one did, and nothing in the current folder."""
    root = str(Path(__file__).resolve().parents[1])
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", START, root, str(max_memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # numpy comes with the types; the threads of its BLAS would only take room.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
    except OSError as error:
        raise LoadError(f"no process can be started to read it: {error.strerror or error}") from error


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        logger.debug("a pipe was broken already")


def _page(item: list[Any]) -> Page:
    text, number, headings, label, title, place = item
    if not isinstance(text, str):
        raise TypeError("a page without text")
    marks = tuple(Heading(int(o), int(n), str(t)) for o, n, t in headings)
    return Page(text, number, marks, label, str(title), str(place))
