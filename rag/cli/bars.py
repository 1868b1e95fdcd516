"""Progress bars on the terminal's stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rag.cli.screen import is_terminal, say, show

if TYPE_CHECKING:
    from ingest.report import Progress


@contextmanager
def ingest_bar() -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on a terminal's stderr; nothing elsewhere."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(say("Ingesting", "正在导入")),
        BarColumn(),
        TextColumn(
            say(
                "{task.fields[done]}/{task.fields[files]} files · {task.fields[chunks]} chunks · "
                "{task.fields[rate]:.0f}/s ·",
                "{task.fields[done]}/{task.fields[files]} 个文件 · {task.fields[chunks]} 个片段 · "
                "{task.fields[rate]:.0f}/秒 ·",
            )
        ),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, done=0, files=0, chunks=0, rate=0.0)
        yield lambda now: bar.update(
            task,
            total=1.0,
            completed=now.share,
            done=now.done,
            files=now.files,
            chunks=now.chunks,
            rate=now.chunks / max(now.seconds, 0.1),
        )


@contextmanager
def count_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar of how many are done; nothing if stderr is no terminal."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def download_bar() -> Iterator[None]:
    """While this is open, a bar on the terminal's stderr shows the fetching of weights, if there is any."""
    from rag.weights.cache import watched_by

    watcher = _Watcher()
    try:
        with watched_by(watcher):
            yield
    finally:
        watcher.stop()


class _Watcher:
    """Draws a bar from the first byte of a model to its last, so that nothing else is disturbed."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def __call__(self, name: str, done_bytes: int, total_bytes: int, /) -> None:
        if done_bytes >= total_bytes:
            self.stop()
        elif is_terminal(sys.stderr):
            bar = self._bar or self._start(name)
            bar.update(bar.task_ids[0], completed=done_bytes, total=total_bytes)
        elif self._bar is None:
            self._bar = self._start(name)

    def _start(self, name: str) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn(say("Fetching {task.description}", "正在下载 {task.description}"))
        columns = (text, BarColumn(), DownloadColumn(), TimeRemainingColumn())
        if not is_terminal(sys.stderr):
            show(say(f"Fetching {name} …", f"正在下载 {name} ……"), err=True)
        self._bar = Progress(
            *columns, console=Console(stderr=True), transient=True, disable=not is_terminal(sys.stderr)
        )
        self._bar.add_task(name)
        self._bar.start()
        return self._bar

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
