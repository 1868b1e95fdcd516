"""`rag models`: what can be had, what is here, and fetching it."""

from __future__ import annotations

import sys
from typing import Any

import click

from rag.cli.bars import download_bar
from rag.cli.help import Sections
from rag.cli.screen import options, say, show, show_json


@click.group(cls=Sections, help=say("List, fetch and check model weights.", "列出、下载和校验模型。"))
def models() -> None:
    pass


@models.command("list", help=say("List the models of the catalogue.", "列出目录中的模型。"))
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
    width = max(len(row["name"]) for row in rows)
    show(f"{say('name', '名称'):<{width}}       MB  {say('here', '本机')}  {say('licence', '许可证')}", bold=True)
    for row in rows:
        here = say("yes ", "有  ") if row["here"] else "-   "
        show(f"{row['name']:<{width}} {row['bytes'] / 1e6:8.1f}  {here}  {row['licence']}"[:80])


@models.command(help=say("Fetch models, the default ones if none is named.", "下载模型，未指定时下载默认模型。"))
@click.argument("names", nargs=-1)
def pull(names: tuple[str, ...]) -> None:
    from rag.weights.cache import catalogue
    from rag.weights.cache import pull as fetch

    with download_bar():
        for name in names or [n for n, model in catalogue().items() if model.default]:
            show(f"{name}: {fetch(name)}")


@models.command(
    help=say("Check every file of the models that are here, by its hash.", "用哈希值校验本机已有模型的每个文件。")
)
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    from rag.weights.cache import catalogue, is_present
    from rag.weights.cache import verify as faults_of
    from rag.weights.derived import verify_derived

    faults = [] if names else verify_derived()
    for fault in faults:
        show(fault)
    for name in names or [n for n, model in catalogue().items() if is_present(model)]:
        found = faults_of(name)
        faults += found
        show("\n".join(found) if found else f"{name}: {say('right', '正确')}")
    if faults:
        sys.exit(1)


@models.command(help=say("Print the folder of a model.", "显示模型所在的文件夹。"))
@click.argument("name")
def path(name: str) -> None:
    from rag.weights.cache import model_path

    show(str(model_path(name, offline=True)))
