"""The worked examples of CONTRIBUTING.md do what the text says."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner
from conftest import ROOT

from rag.cli.screen import options, say, show, show_json
from rag.errors import ConfigError
from rag.llms import LLM, Piece
from rag.stores.common.address import parse
from rag.stores.engine.store import EngineStore
from rag.types import Message, Usage


def run_example(words: str, **names: Any) -> SimpleNamespace:
    """The names that the example with these words defines, `names` being imported before."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [code] = [block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if words in block]
    exec(code, names)
    return SimpleNamespace(**names)


def test_a_loader(tmp_path: Path) -> None:
    titles = tmp_path / "film.srt"
    titles.write_text(
        "1\n00:00:01,000 --> 00:00:02,500\nGood evening.\n\n2\n00:00:03,000 --> 00:00:04,000\n晚安。\n"
    )
    [page] = run_example("Subtitles").read(titles)
    assert page.text == "Good evening.\n\n晚安。\n"


def test_a_store() -> None:
    store = run_example("LakeStore", EngineStore=EngineStore, parse=parse, Lake=lambda at: at).LakeStore
    assert store("lake://me:secret@shore/docs").url == "lake://shore:4711/docs"
    with pytest.raises(ConfigError):
        store("lake://shore/no name")


def test_a_language_model() -> None:
    model = run_example("EchoLLM", Piece=Piece, Usage=Usage).EchoLLM()
    assert isinstance(model, LLM)
    assert [piece.text for piece in model.stream([Message("user", "hello")], max_tokens=4)] == ["hell"]


def test_a_command(index: str) -> None:
    names = {"click": click, "options": options, "say": say, "show": show, "show_json": show_json}
    count = run_example("@click.command", **names).count
    assert CliRunner().invoke(count, ["--index", index]).output == "4\n"
    assert CliRunner().invoke(count, ["--index", index, "--json"]).output == '{"sources": 4}\n'
