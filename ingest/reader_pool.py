"""Files read in processes of their own, so that one which hangs, crashes or eats memory harms no other.

`ingest.reader_process` is the other side. `Loaders` keeps a few such processes, and replaces one that had to be
stopped. The limit of memory is the kernel's (Linux); the limit of time holds everywhere.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import IO, Any

from ingest.loaders import LoadOptions
from ingest.reader_process import receive, send
from rag.errors import LoadError, Skip
from rag.types import Heading, Page

__all__ = ["Loaded", "Loaders", "Reader", "whole"]

logger = logging.getLogger(__name__)

Loaded = tuple[Page, ...] | LoadError
"""What became of a file: its pages, or why there are none (`Skip` or another `LoadError`)."""

_Ahead = queue.Queue["list[Page] | Exception | None"]
_BATCHES_AHEAD = 2

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
        self._closed = False

    def __enter__(self) -> Loaders:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        for reader in self._readers:
            reader.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def load_all(self, paths: Iterable[Path]) -> Iterator[tuple[Path, Iterator[Page]]]:
        """Each path with its pages, in order; the pages of one must be taken before the next path is asked for.

        At most two files a process are read ahead, of each a few megabytes: a reader waits until its pages are
        taken. Taking them raises LoadError, also behind the first ones, as `ingest.loaders.load` does.
        """
        ahead: deque[tuple[Path, _Ahead]] = deque()
        for path in paths:
            ahead.append((path, self._begin(path)))
            if len(ahead) > 2 * len(self._readers):
                first, batches = ahead.popleft()
                yield first, self._pages(batches)
        while ahead:
            first, batches = ahead.popleft()
            yield first, self._pages(batches)

    def load(self, path: Path) -> Loaded:
        """One file, whole, read by whichever process is free; never raises for what is in the file."""
        return whole(self._pages(self._begin(path)))

    def _begin(self, path: Path) -> _Ahead:
        batches: _Ahead = queue.Queue(_BATCHES_AHEAD)
        self._threads.submit(self._feed, path, batches)
        return batches

    def _pages(self, batches: _Ahead) -> Iterator[Page]:
        while not self._closed:
            try:
                batch = batches.get(timeout=0.1)
            except queue.Empty:
                continue
            if batch is None:
                return
            if isinstance(batch, Exception):
                raise batch
            yield from batch
        raise LoadError("reading was stopped")

    def _feed(self, path: Path, batches: _Ahead) -> None:
        """Read a file into `batches`, with what stopped it at the end, or None."""
        reader = self._idle.get()
        end: Exception | None = None
        try:
            for batch in reader.stream(path):
                self._hand_on(batch, batches)
        except Exception as error:  # noqa: BLE001 - raised again where the pages are taken
            end = error
        finally:
            self._idle.put(reader)
            self._hand_on(end, batches)

    def _hand_on(self, batch: list[Page] | Exception | None, batches: _Ahead) -> None:
        while not self._closed:
            try:
                return batches.put(batch, timeout=0.1)
            except queue.Full:
                continue


class Reader:
    """One reader process, started at its first file and again after it had to be stopped."""

    def __init__(self, options: LoadOptions) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._folder = ""

    @property
    def pid(self) -> int | None:
        """The process that reads, None while there is none."""
        return self._process.pid if self._process else None

    def stream(self, path: Path) -> Iterator[list[Page]]:
        """The pages of a file as they come; `LoadError` or `Skip` as `ingest.loaders.load`, or at a limit.

        The limit of time: no page for `max_seconds`, or `max_seconds` and another second for each page
        so far, or ten times `max_seconds` in all, whichever comes first; pages read by OCR add their own time.
        While nobody takes the pages, it stands still.
        """
        process = self._running()
        watch = _Watch(process, self._options.max_seconds)
        try:
            yield from self._exchange(process, path, watch)
        except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
            self._stop()
            raise self._why(process, watch) from error
        except BaseException as error:
            if not isinstance(error, LoadError):
                self._stop()  # interrupted: what it sends now belongs to nobody
            raise
        finally:
            watch.over.set()

    def load(self, path: Path) -> tuple[Page, ...]:
        """The same, all of them."""
        return tuple(chain.from_iterable(self.stream(path)))

    def close(self) -> None:
        """Stop the process, now and for good."""
        self._closed = True
        self._stop()

    def _exchange(self, process: subprocess.Popen[bytes], path: Path, watch: _Watch) -> Iterator[list[Page]]:
        assert process.stdin and process.stdout  # noqa: S101 - both are pipes
        send(process.stdin, {"path": str(path), "options": asdict(self._options)})
        count = scans = 0
        room = 8 * self._options.max_chars + 256 * self._options.max_pages
        while True:
            frame, size = receive(process.stdout, room)
            room -= size
            match frame["kind"]:
                case "pages":
                    pages = [_page(item) for item in frame["pages"]]
                    count += len(pages)
                    scans += sum(page.ocr > 0 for page in pages)
                    watch.hold()
                    yield pages
                    watch.push(count, scans)
                case "log":
                    logger.log(int(frame["level"]), "%s: %s", path.name, frame["text"])
                case "end":
                    return
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
                self._folder = tempfile.mkdtemp(prefix="ragstone-")
                self._process = _start(self._options.max_memory, self._folder)
            return self._process

    def _stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)  # files out of archives, where it was stopped amid one
        for pipe in (process.stdin, process.stdout):
            if pipe:
                _close(pipe)


_LOOK = 0.5  # seconds between two looks at the clock
_OCR_SECONDS = 15  # for each page that OCR gave text of: three to five times what one takes on two cores


class _Watch:
    """Kills a process when its time is over; `hold` stops the clock, `push` lets it go on with more time."""

    def __init__(self, process: subprocess.Popen[bytes], limit: float) -> None:
        self._process, self._limit = process, limit
        self._start = time.monotonic()
        self._deadline = self._start + limit
        self.seconds = limit
        self.expired = False
        self.over = threading.Event()
        threading.Thread(target=self._run, name="loader-watch", daemon=True).start()

    def hold(self) -> None:
        self._held, self._deadline = time.monotonic(), math.inf

    def push(self, pages: int, scans: int) -> None:
        self._start += time.monotonic() - self._held
        most = min(self._limit + pages, 10 * self._limit) + _OCR_SECONDS * scans
        self._deadline = min(time.monotonic() + self._limit, self._start + most)

    def _run(self) -> None:
        while not self.over.wait(min(_LOOK, max(0.0, self._deadline - time.monotonic()))):
            if time.monotonic() >= self._deadline:
                self.seconds = time.monotonic() - self._start
                self.expired = True
                self._process.kill()
                return


def _start(max_memory: int, folder: str) -> subprocess.Popen[bytes]:
    """A reader process that finds our packages where this one did, and nothing in the current folder.

    What it writes for a while lies in `folder`.
    """
    root = str(Path(__file__).resolve().parents[1])
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", START, root, str(max_memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # numpy comes with the types; the threads of its BLAS would only take room.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": folder, "TEMP": folder},
        )
    except OSError as error:
        raise LoadError(f"no process can be started to read it: {error.strerror or error}") from error


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        logger.debug("a pipe was broken already")


def _page(item: list[Any]) -> Page:
    text, number, headings, label, title, place, offset, ocr = item
    if not isinstance(text, str):
        raise TypeError("a page without text")
    marks = tuple(Heading(int(o), int(n), str(t)) for o, n, t in headings)
    return Page(text, number, marks, label, str(title), str(place), int(offset), float(ocr))


def whole(pages: Iterable[Page]) -> Loaded:
    """All of a file's pages, or what was raised on the way."""
    try:
        return tuple(pages)
    except LoadError as error:
        return error
