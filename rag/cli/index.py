"""`rag ingest`, `rag status`, `rag sources` and `rag forget`."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from rag import __version__
from rag.cli.bars import count_bar
from rag.cli.screen import options, plain, say, show_json

if TYPE_CHECKING:
    from rag.stores import Store


@click.command(
    help=say("What the index holds, and what is missing on this machine.", "索引概况，以及本机缺少什么。")
)
@options("index", "json")
def status(index: str | None, as_json: bool) -> None:
    facts = _facts(index)
    if as_json:
        show_json(facts)
        return
    for part, values in facts.items():
        click.secho(part, bold=True)
        for name, value in values.items():
            click.echo(f"  {name:<12} {plain(str(value))}")


def _facts(index: str | None) -> dict[str, dict[str, Any]]:
    """Everything `status` says, by part."""
    from rag.config import load_settings
    from rag.weights.cache import cache_dir, catalogue, is_present

    settings = load_settings({"index": index})
    with _opened(index) as store:
        manifest = store.manifest()
        statistics = (
            getattr(store, "statistics", dict)()
            if manifest
            else {"empty": f"rag ingest FOLDER --index {store.url}"}
        )
        found = {"url": store.url, **statistics}
    return {
        "index": found,
        "manifest": asdict(manifest) if manifest else {},
        "models": {name: "here" if is_present(model) else "missing" for name, model in catalogue().items()},
        "kernels": _kernels(),
        "settings": {**asdict(settings), "index": found["url"]},  # whose password, if it has one, is not shown
        "machine": {
            "ragstone": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "models in": str(cache_dir()),
        },
    }


def _kernels() -> dict[str, str]:
    """The engines that do the arithmetic, with their versions."""
    from importlib.metadata import version

    return {name: version(name) for name in ("onnxruntime", "faiss-cpu", "xllamacpp", "numpy")}


@click.command(help=say("List the files in the index.", "列出索引中的文件。"))
@options("index", "json")
def sources(index: str | None, as_json: bool) -> None:
    with _opened(index, needed=True) as store:
        documents = sorted(store.documents().values(), key=lambda d: d.source)
    if as_json:
        show_json({"sources": [asdict(d) for d in documents]})
        return
    for document in documents:
        click.echo(f"{document.chunks:6}  {plain(document.source)}")


@click.command(
    help=say(
        "Take SOURCE (as `rag sources` names it) out of the index.", "从索引中移除 SOURCE（名称见 rag sources）。"
    )
)
@click.argument("source")
@options("index")
def forget(source: str, index: str | None) -> None:
    from rag.errors import IndexMissing, StoreError

    with _opened(index) as store:
        manifest = store.manifest()
        if manifest is None:
            raise IndexMissing(store.url)
        with store.write(manifest) as writer:
            if not writer.remove([source]):
                raise StoreError(f"the index has no source {source!r}: `rag sources` lists them")
            writer.commit()
    click.echo(say(f"Forgotten: {source}", f"已移除：{source}"))


@contextmanager
def _opened(index: str | None, needed: bool = False) -> Iterator[Store]:
    """The store alone, without loading any model."""
    from rag.config import load_settings
    from rag.errors import IndexMissing
    from rag.stores import open_store

    store = open_store(load_settings({"index": index}).index)
    try:
        if needed and store.manifest() is None:
            raise IndexMissing(store.url)
        yield store
    finally:
        store.close()


@click.command(
    "copy",
    help=say(
        "Move an index to another engine without embedding again, and check that both find the same.",
        "把索引迁移到另一种存储引擎（无需重新计算向量），并核对两边检索结果一致。",
    ),
)
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@options("json")
def copy_index(source: str, target: str, as_json: bool) -> None:
    from rag.stores import open_store
    from rag.stores.copy import copy

    origin, goal = open_store(source), open_store(target)
    try:
        with count_bar(say("Copying", "正在复制")) as progress:
            copied = copy(origin, goal, progress=progress)
    finally:
        origin.close()
        goal.close()
    if as_json:
        show_json(asdict(copied))
        return
    click.echo(
        say(
            f"{copied.documents} documents, {copied.chunks} chunks; {copied.searches} searches compared.",
            f"{copied.documents} 个文档，{copied.chunks} 个片段；已比对 {copied.searches} 次检索。",
        )
    )
