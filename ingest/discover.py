"""Which files a folder holds: walked in a fixed order, never out of the folder."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from ingest.loaders.text import read_text
from rag.errors import LoadError

__all__ = ["File", "Found", "Problem", "check_path", "discover"]

IGNORE = ".ragignore"


@dataclass(frozen=True, slots=True, order=True)
class File:
    """A file to read: `name` is its path below the folder with "/" everywhere, `path` where it lies."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What will not be read and why; `failed` if it should have been (an unreadable folder), else skipped."""

    source: str
    reason: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The files below `root` (absolute), and what stood in the way; both sorted by name."""

    root: Path
    files: tuple[File, ...]
    problems: tuple[Problem, ...]


def discover(path: Path) -> Found:
    """The files of a folder and of the folders in it, or one file; `LoadError` if there is nothing there.

    Names that begin with a dot are passed over, and what a `.ragignore` (gitignore form, in any folder)
    excludes. A link is followed if it stays inside the folder and leads to what is not read already;
    the others are problems, as are special files and folders that cannot be listed. The path itself may
    be a link, and may be hidden.
    """
    check_path(path)
    if path.is_dir():
        return _Walk(path.resolve()).run()
    root = path.parent.resolve()
    return Found(root, (File(path.name, root / path.name),), ())


def check_path(path: Path) -> None:
    """Raise LoadError unless `path` is a folder or a file that can be reached."""
    try:
        path.resolve(strict=True)  # fails in a working folder that was deleted, and where one may not be entered
        usable = path.is_dir() or path.is_file()
    except (FileNotFoundError, NotADirectoryError) as error:
        gone = "the working folder is gone" if not path.is_absolute() and not _has_working_folder() else ""
        raise LoadError(gone or f"there is no file or folder {path}: check the spelling") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise LoadError(f"{path} cannot be reached: {getattr(error, 'strerror', None) or error}") from error
    if not usable:
        raise LoadError(f"{path} is neither a folder nor a regular file")


def _has_working_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder on the way: `rules` are those of its parents and its own, outermost first."""

    path: Path
    name: str
    rules: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def child(self, name: str) -> str:
        return f"{self.name}/{name}" if self.name else name

    def ignores(self, name: str, is_dir: bool) -> bool:
        """Does the innermost rule that says anything about this child exclude it?"""
        for base, spec in reversed(self.rules):
            inner = name[len(base) + 1 :] if base else name
            said = spec.check_file(inner + "/" * is_dir).include
            if said is not None:
                return said
        return False


@dataclass(slots=True)
class _Walk:
    """The state of one walk. Links wait until all that is really there has been seen."""

    root: Path
    files: list[File] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)  # real paths of folders and files
    links: deque[tuple[Path, str, _Folder]] = field(default_factory=deque)

    def run(self) -> Found:
        self.walk(_Folder(self.root, ""))
        while self.links:
            self.follow(*self.links.popleft())
        return Found(self.root, tuple(sorted(self.files)), tuple(sorted(self.problems)))

    def walk(self, top: _Folder) -> None:
        folders = [top]
        while folders:
            folder = folders.pop()
            self.seen.add(os.path.realpath(folder.path))
            try:
                folder = _with_rules(folder)
                with os.scandir(folder.path) as entries:
                    children = sorted(entries, key=lambda entry: entry.name)
            except (OSError, LoadError) as error:
                self.problem(folder.name, _reason(error), failed=True)
                continue
            folders += [inner for child in children if (inner := self.take(child, folder))]

    def take(self, entry: os.DirEntry[str], folder: _Folder) -> _Folder | None:
        """Note what an entry is; a folder to walk is returned."""
        name, path = folder.child(entry.name), Path(entry.path)
        is_dir = entry.is_dir(follow_symlinks=False)
        if entry.name.startswith(".") or folder.ignores(name, is_dir):
            return None
        if _not_text(entry.name):
            self.problem(name, "its name is not valid Unicode: rename it", failed=True)
        elif entry.is_symlink() or (is_dir and _is_junction(path)):
            self.links.append((path, name, folder))
        elif is_dir:
            return _Folder(path, name, folder.rules)
        elif entry.is_file():
            self.add(name, path)
        else:
            self.problem(name, "not a regular file")
        return None

    def follow(self, path: Path, name: str, folder: _Folder) -> None:
        """Take what a link leads to, or say why not."""
        try:
            target = Path(os.path.realpath(path, strict=True))
        except OSError:
            return self.problem(name, "broken link")
        if target.is_dir() and folder.ignores(name, True):
            return None  # "drafts/" says nothing of a link until it is known where that leads
        if reason := self.objection(target):
            return self.problem(name, reason)
        return self.walk(_Folder(path, name, folder.rules)) if target.is_dir() else self.add(name, path)

    def objection(self, target: Path) -> str | None:
        """Why what a link leads to is not read, None if it may be."""
        if not target.is_relative_to(self.root):
            return "link out of the folder"
        if target == self.root:
            return "link to the folder itself"
        if str(target) in self.seen:
            return f"link to {target.relative_to(self.root).as_posix()}"
        return None if target.is_dir() or target.is_file() else "not a regular file"

    def add(self, name: str, path: Path) -> None:
        self.seen.add(os.path.realpath(path))
        self.files.append(File(name, path))

    def problem(self, name: str, reason: str, failed: bool = False) -> None:
        shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
        self.problems.append(Problem(shown, reason, failed))


def _with_rules(folder: _Folder) -> _Folder:
    """The folder with the rules of its own `.ragignore`; `LoadError` if that cannot be understood.

    Then the folder is not read at all: better nothing than what somebody wanted left out.
    """
    path = folder.path / IGNORE
    if not path.is_file():
        return folder
    try:
        spec = GitIgnoreSpec.from_lines(read_text(path).split("\n"))
    except (ValueError, LoadError, OSError) as error:
        raise LoadError(f"{IGNORE} cannot be understood ({_reason(error)}): correct it") from error
    return _Folder(folder.path, folder.name, (*folder.rules, (folder.name, spec)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return str(error)


def _not_text(name: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in name)


def _is_junction(path: Path) -> bool:
    """A folder of Windows that is really elsewhere (Python knows junctions by name from 3.12 only)."""
    return os.path.realpath(path) != os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118
