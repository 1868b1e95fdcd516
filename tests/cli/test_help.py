"""The screens of --help: every command is there, and lines fit 80 columns in both languages."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from rag.cli import rag
from rag.cli.help import columns, wrap

# The texts are chosen when they are imported, so each language has a process of its own.
_ALL = """
import click
from rag.cli import rag

def show(command, path):
    print(click.Context(command, info_name=path, **command.context_settings).get_help())
    for name, inner in getattr(command, "commands", {}).items():
        show(inner, f"{path} {name}")

show(rag, "rag")
"""


@pytest.fixture(scope="module", params=["en_US.UTF-8", "zh_CN.UTF-8"])
def screens(request: pytest.FixtureRequest) -> list[str]:
    env = {**os.environ, "LC_ALL": request.param, "COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _ALL], env=env, cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout.splitlines()


def test_lines_fit_the_terminal(screens: list[str]) -> None:
    assert len(screens) > 200
    assert [line for line in screens if columns(line) > 80] == []


def test_every_command_is_listed_with_a_whole_sentence(screens: list[str]) -> None:
    first = "\n".join(screens).split("\n\n" + next(line for line in screens[1:] if " ingest [OPTIONS]" in line))[0]
    ending = "。" if "选项：" in screens else "."
    for name in rag.commands:
        found = re.search(rf"^  {name} +(\S.*(?:\n {{8}}.*)*)$", first, re.MULTILINE)
        assert found, name
        assert found[1].endswith(ending), found[1]


def test_one_language_on_a_screen(screens: list[str]) -> None:
    english = {"Options:", "Commands:", "Usage:", "[default:", "message"}
    words = {word for line in screens for word in line.split()} & english
    assert words == (set() if "选项：" in screens else english)


def test_wide_characters_take_two_columns() -> None:
    assert columns("rag 读入") == 8
    assert wrap("把文件夹和文件读入索引，再次运行。", 10) == ["把文件夹和", "文件读入索", "引，再次运", "行。"]
    assert wrap("一二三四五。", 10) == ["一二三四", "五。"], "no line begins with a mark"
    assert wrap("见 rag sources 的列表", 8) == ["见 rag", "sources", "的列表"]
