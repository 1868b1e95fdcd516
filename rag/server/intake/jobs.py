"""Ingests that clients start: one at a time, each with its progress, each can be stopped."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ingest.report import Stopped
from rag.api import RAG
from rag.errors import RagError
from rag.server.failures import Failed
from rag.server.shapes import FileShape, JobShape

if TYPE_CHECKING:
    from ingest.report import IngestReport, Progress

log = logging.getLogger(__name__)

KEPT, WAITING = 200, 50
State = Literal["waiting", "running", "done", "failed", "stopped"]


@dataclass
class Job:
    """One ingest, and how far it is."""

    index: str
    paths: tuple[Path, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    done: int = 0
    files: int = 0
    chunks: int = 0
    share: float = 0.0
    seconds: float = 0.0
    error: str = ""
    report: dict[str, int] = field(default_factory=dict)
    problems: list[FileShape] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def note_progress(self, progress: Progress) -> None:
        """Keep how far it is. Raises KeyboardInterrupt once somebody asked to stop: what is finished stays."""
        self.done, self.files, self.share = progress.done, progress.files, progress.share
        self.chunks, self.seconds = progress.chunks, progress.seconds
        if self.stop.is_set():
            raise KeyboardInterrupt

    def note_report(self, report: IngestReport) -> None:
        counts = ("added", "updated", "unchanged", "removed", "chunks")
        self.report = {name: value for name, value in asdict(report).items() if name in counts}
        skipped = [FileShape(name=row["source"], state="skipped", reason=row["reason"]) for row in report.skipped]
        failed = [FileShape(name=row["source"], state="failed", reason=row["reason"]) for row in report.failed]
        self.problems = skipped + failed

    def shape(self) -> JobShape:
        return JobShape(
            id=self.id, index=self.index, state=self.state, done=self.done, files=self.files, chunks=self.chunks,
            share=round(self.share, 4), seconds=round(self.seconds, 3), error=self.error, report=self.report,
            problems=self.problems,
        )  # fmt: skip


class Jobs:
    """The jobs of a server, the last `KEPT` of them; one thread works them off."""

    def __init__(self, open_index: Callable[[str], RAG]) -> None:
        self._open = open_index
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="rag-jobs", daemon=True)
        self._thread.start()

    def start(self, index: str, paths: Sequence[Path]) -> Job:
        """Queue an ingest of these. Raises Failed (429) where too many wait."""
        job = Job(index, tuple(paths))
        with self._lock:
            if self.open >= WAITING:
                raise Failed(
                    429, f"{WAITING} jobs are waiting: come back in a minute", "busy", {"Retry-After": "60"}
                )
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
        self._queue.put(job)
        return job

    def get(self, name: str) -> Job:
        """The job of that id. Raises Failed (404)."""
        job = self._jobs.get(name)
        if job is None:
            raise Failed(404, f"there is no job {name[:40]!r}", "not_found")
        return job

    def all(self) -> list[Job]:
        return list(reversed(self._jobs.values()))

    @property
    def open(self) -> int:
        """How many wait or run."""
        return sum(job.state in ("waiting", "running") for job in list(self._jobs.values()))

    def close(self) -> None:
        """Stop what runs, at the next file, and wait for it."""
        for job in list(self._jobs.values()):
            job.stop.set()
        self._queue.put(None)
        self._thread.join(30)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            began = time.monotonic()
            try:
                if job.stop.is_set():
                    raise KeyboardInterrupt
                job.state = "running"
                job.note_report(self._open(job.index).ingest(*job.paths, progress=job.note_progress))
                job.state = "done"
            except Stopped as stopped:
                job.note_report(stopped.report)
                job.state = "stopped"
            except KeyboardInterrupt:
                job.state = "stopped"
            except RagError as error:
                job.state, job.error = "failed", str(error)
            except OSError as error:
                job.state, job.error = "failed", f"the index cannot be written: {error.strerror or error}"
            except Exception as error:
                log.error("a job failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
                job.state, job.error = "failed", "something went wrong in the server: its log says more"
            job.seconds = time.monotonic() - began


def confine_path(path: str, roots: Sequence[Path]) -> Path:
    """A path of the server's machine that lies inside one of `roots`. Raises Failed (403, 404)."""
    if "\0" in path:
        raise Failed(400, "a path has no NUL in it", "bad_name")
    real = Path(os.path.realpath(path))
    if not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        raise Failed(403, "this server reads only the folders that --root names", "outside_roots")
    if not real.exists():
        raise Failed(404, f"there is no file or folder {path[:200]!r}", "not_found")
    return real
