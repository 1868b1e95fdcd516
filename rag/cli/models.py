"""`rag models`: what can be had, what is here, and fetching it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from rag.cli.screen import options, say, show_json

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


@click.group(help=say("List, fetch and check model weights.", "列出、下载和校验模型。"))
def models() -> None:
    pass


@models.command("list", help=say("The models of the catalogue.", "目录中的模型。"))
@options("json")
def list_models(as_json: bool) -> None:
    from rag.weights.cache import catalogue, is_present

    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "kind": model.kind,
            "licence": model.licence,
            "bytes": sum(file.size for file in model.files),
            "default": model.default,
            "here": is_present(model),
        }
        for name, model in catalogue().items()
    ]
    if as_json:
        show_json({"models": rows})
        return
    for row in rows:
        here = say("here", "已有") if row["here"] else say("-", "-")
        click.echo(f"{row['name']:<40} {row['bytes'] / 1e6:8.1f} MB  {here:<5} {row['licence']}")


@models.command(
    help=say("Fetch models (the default ones when none is named).", "下载模型（未指定时下载默认模型）。")
)
@click.argument("names", nargs=-1)
def pull(names: tuple[str, ...]) -> None:
    from rag.weights.cache import catalogue
    from rag.weights.cache import pull as fetch

    with fetching():
        for name in names or [n for n, model in catalogue().items() if model.default]:
            click.echo(f"{name}: {fetch(name)}")


@models.command(help=say("Hash every file of the models that are here.", "校验本机已有模型的每个文件。"))
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    from rag.weights.cache import catalogue, is_present
    from rag.weights.cache import verify as faults_of

    faults = []
    for name in names or [n for n, model in catalogue().items() if is_present(model)]:
        found = faults_of(name)
        faults += found
        click.echo("\n".join(found) if found else f"{name}: {say('right', '正确')}")
    if faults:
        sys.exit(1)


@models.command(help=say("The folder of a model.", "模型所在的文件夹。"))
@click.argument("name")
def path(name: str) -> None:
    from rag.weights.cache import model_path

    click.echo(str(model_path(name, offline=True)))


@contextmanager
def fetching() -> Iterator[None]:
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
        elif sys.stderr.isatty():
            bar = self._bar or self._start(name)
            bar.update(bar.task_ids[0], completed=done_bytes, total=total_bytes)
        elif self._bar is None:
            self._bar = self._start(name)

    def _start(self, name: str) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        text = TextColumn(say("Fetching {task.description}", "正在下载 {task.description}"))
        columns = (text, BarColumn(), DownloadColumn(), TimeRemainingColumn())
        if not sys.stderr.isatty():
            click.echo(say(f"Fetching {name} …", f"正在下载 {name} ……"), err=True)
        self._bar = Progress(
            *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
        )
        self._bar.add_task(name)
        self._bar.start()
        return self._bar

    def stop(self) -> None:
        if self._bar:
            self._bar.stop()
            self._bar = None
