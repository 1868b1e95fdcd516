"""The guides: links lead somewhere, both languages say the same, and what they name exists."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import click
import pytest
from conftest import ROOT

from rag.cli import rag
from rag.config import Settings

GUIDES = sorted((ROOT / "docs" / "en").glob("*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
BOTH = [(guide, ROOT / "docs" / "zh" / guide.name) for guide in GUIDES] + [
    (ROOT / "README.md", ROOT / "README.zh.md")
]
GUIDES_AND_ROOT = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
MOST_LINES = 200
"""Of a README: it is the door and not the building."""


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", without_code(text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def code(page: Path, *languages: str) -> Iterator[str]:
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page))):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


def test_each_guide_is_there_in_both_languages() -> None:
    assert {guide.name for guide in GUIDES} == {guide.name for guide in (ROOT / "docs" / "zh").glob("*.md")}


@pytest.mark.parametrize(("english", "chinese"), BOTH, ids=name)
def test_both_languages_say_the_same(english: Path, chinese: Path) -> None:
    """As far as a program can see: the levels of headings, the rows of tables, the blocks of code."""

    def shape(page: Path) -> tuple[list[str], int, list[str]]:
        plain = without_code(text_of(page))
        levels = re.findall(r"^(#+) ", plain, re.MULTILINE)
        return levels, len(re.findall(r"^\|", plain, re.MULTILINE)), re.findall(r"^```(\w+)$", text_of(page), re.M)

    assert shape(english) == shape(chinese)


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_readme_is_short_and_names_every_guide(page: str) -> None:
    text = text_of(ROOT / page)
    assert len(text.splitlines()) <= MOST_LINES
    language = "zh" if ".zh" in page else "en"
    assert [guide.name for guide in GUIDES if f"docs/{language}/{guide.name}" not in text] == []


def test_every_setting_and_every_command_is_described() -> None:
    for language in ("en", "zh"):
        settings = text_of(ROOT / "docs" / language / "configuration.md")
        assert [f.name for f in fields(Settings) if f"`RAG_{f.name.upper()}`" not in settings] == []
        commands = text_of(ROOT / "docs" / language / "command-line.md")
        assert [command for command in rag.commands if not re.search(rf"`rag {command}\b", commands)] == []


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of each `rag …` in the page's shell blocks."""
    for block in code(page, "sh", "console"):
        for line in block.splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if "rag " in line else []
            words = words[words.index("|") + 1 :] if "|" in words else words
            if words and words[0].rpartition("/")[2] == "rag" and words[1:]:
                yield words[1:]


def options_of(words: list[str]) -> tuple[click.Command | None, set[str]]:
    """The command that `words` call, and the options that it has."""
    command: click.Command | None = rag
    for word in words:
        if isinstance(command, click.Group) and not word.startswith("-"):
            command = command.commands.get(word)
    return command, {o for parameter in command.params for o in parameter.opts} if command else set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_guides_exist(page: Path) -> None:
    wrong = []
    for words in command_lines(page):
        command, options = options_of(words)
        used = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"-v", "--help"}
        if command is None or not used <= options:
            wrong.append(words)
    assert wrong == []


def code_in_text(page: Path) -> list[str]:
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", without_code(text_of(page)))


@pytest.mark.parametrize("page", GUIDES_AND_ROOT, ids=name)
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    groups = [rag, *(c for c in rag.commands.values() if isinstance(c, click.Group))]
    commands = {rag, *(command for group in groups for command in group.commands.values())}
    known = {option for command in commands for parameter in command.params for option in parameter.opts}
    wrong = []
    for text in code_in_text(page):
        words = text.rstrip(" …").split() or [text]
        if words[0] == "rag" and words[1:] and words[1].islower():
            command, options = options_of(words[1:])
            used = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
            wrong += [words] if command is None or not used <= options else []
        elif re.match("--[a-z]", words[0]):
            wrong += [words] if words[0] not in known else []
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    lines = [*code_in_text(page), *(line for block in code(page, "sh", "console") for line in block.splitlines())]
    named = {found[1] for line in lines if (found := re.match(r"(?:\$ )?make ([a-z-]+)", line))}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_that_are_named_exist(page: Path) -> None:
    folders = "rag|ingest|tests|benchmarks|prompts|examples|data/docs"
    named = re.findall(rf"\b((?:{folders})/[\w/.-]*[\w/])", without_code(text_of(page)))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_in_the_guides_is_python(page: Path) -> None:
    for block in code(page, "python"):
        ast.parse(dedent(block), str(page))


def test_headings_step_down_one_by_one() -> None:
    for page in [guide for pair in BOTH for guide in pair]:
        levels = [len(marks) for marks in re.findall(r"^(#+) ", without_code(text_of(page)), re.MULTILINE)]
        assert levels[0] == 1, page
        assert levels.count(1) == 1, page
        assert all(after - before <= 1 for before, after in pairwise(levels)), page
