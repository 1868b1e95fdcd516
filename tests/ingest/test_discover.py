"""The walk over a folder: order, ignore files, links, what cannot be read."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ingest.discover import File, Problem, discover
from rag.errors import LoadError

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and special files of POSIX")


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")


def names(root: Path) -> list[str]:
    return [file.name for file in discover(root).files]


def test_files_in_order_without_hidden_ones(tmp_path: Path) -> None:
    fill(tmp_path, "b.md", "a/z.md", "a/手册.md", "B.md", ".git/config", ".env", "a/.x/y.md", "a.md")
    assert names(tmp_path) == ["B.md", "a.md", "a/z.md", "a/手册.md", "b.md"]
    assert discover(tmp_path).files[2] == File("a/z.md", tmp_path.resolve() / "a" / "z.md")
    assert discover(tmp_path).problems == ()


def test_ragignore_in_gitignore_form(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "a.log",
        "keep.log",
        "sub/b.log",
        "sub/c.md",
        "drafts/d.md",
        "x/drafts/e.md",
        "top.md",
        "sub/top.md",
    )
    (tmp_path / ".ragignore").write_text("*.log\n!keep.log\ndrafts/\n/top.md\n# comment\n", encoding="utf-8")
    (tmp_path / "sub" / ".ragignore").write_text("!b.log\nc.md\n", encoding="utf-8")
    assert names(tmp_path) == ["keep.log", "sub/b.log", "sub/top.md"]


def test_a_folder_whose_ragignore_is_wrong_is_not_read(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "sub/secret.md")
    (tmp_path / "sub" / ".ragignore").write_text("!\n", encoding="utf-8")
    found = discover(tmp_path)
    assert [file.name for file in found.files] == ["a.md"]
    (problem,) = found.problems
    assert (problem.source, problem.failed) == ("sub", True)
    assert problem.reason.startswith(".ragignore cannot be understood")


def test_one_file(tmp_path: Path) -> None:
    fill(tmp_path, "a.md")
    found = discover(tmp_path / "a.md")
    assert (found.root, found.files) == (tmp_path.resolve(), (File("a.md", tmp_path.resolve() / "a.md"),))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"there is no file or folder .*nowhere: check the spelling"):
        discover(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert (discover(tmp_path).files, discover(tmp_path).problems) == ((), ())


@posix
def test_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    fill(tmp_path, "outside/o.md", "root/a.md", "root/sub/b.md", "root/.data/c.md", "root/.data/deep/d.md")
    for link, target in {
        "to_file": "../outside/o.md",
        "to_folder": "../outside",
        "gone": "nowhere",
        "round": "round",
        "up": ".",
        "again.md": "a.md",
        "again": "sub",
        "c.md": ".data/c.md",
        "deep": ".data/deep",
        "sub/back": "..",
    }.items():
        (root / link).symlink_to(target)
    found = discover(root)
    assert [file.name for file in found.files] == ["a.md", "c.md", "deep/d.md", "sub/b.md"]
    assert found.problems == (
        Problem("again", "link to sub"),
        Problem("again.md", "link to a.md"),
        Problem("gone", "broken link"),
        Problem("round", "broken link"),
        Problem("sub/back", "link to the folder itself"),
        Problem("to_file", "link out of the folder"),
        Problem("to_folder", "link out of the folder"),
        Problem("up", "link to the folder itself"),
    )
    (tmp_path / "alias").symlink_to(root)
    assert discover(tmp_path / "alias").files == found.files


@posix
def test_special_files_are_skipped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    assert discover(tmp_path).problems == (Problem("pipe.md", "not a regular file"),)
    with pytest.raises(LoadError, match="neither a folder nor a regular file"):
        discover(tmp_path / "pipe.md")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such names")
def test_names_that_are_no_text_and_folders_that_cannot_be_listed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("x", encoding="utf-8")
    fill(tmp_path, "a.md")
    assert names(tmp_path) == ["a.md"]
    (problem,) = discover(tmp_path).problems
    assert problem == Problem("caf\\udce9.md", "its name is not valid Unicode: rename it", failed=True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed(tmp_path: Path) -> None:
    fill(tmp_path, "a.md", "closed/b.md")
    (tmp_path / "closed").chmod(0)
    try:
        found = discover(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert [file.name for file in found.files] == ["a.md"]
    assert found.problems == (Problem("closed", "cannot be read: Permission denied", failed=True),)
