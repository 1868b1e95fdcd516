"""`rag watch` in a process of its own: what changes in a folder is in the index within seconds."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import environment

from ingest.watch import _matters
from rag.stores import open_store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")

LATEST = 120.0  # seconds; three are promised, but the machine of the tests may be very busy


class Watching:
    """A `rag watch --json` over `folder`, and the changes that it tells."""

    def __init__(self, folder: Path, *more: str) -> None:
        self.index = f"faiss:{folder.parent / 'index'}"
        words = ["watch", str(folder), "--index", self.index, "--embedder", "hashed", "--json", *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rag", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=folder.parent,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)

    def next(self) -> tuple[str, str]:
        row = json.loads(self._lines.get(timeout=LATEST))
        return row["change"], row["source"]

    def quiet(self, seconds: float) -> bool:
        try:
            self._lines.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def sources(self) -> set[str]:
        store = open_store(self.index)
        try:
            return set(store.documents())
        finally:
            store.close()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate(timeout=LATEST)
        return self.process.returncode, err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text("The kettle boils.")
    return tmp_path / "docs"


@pytest.fixture
def watching(folder: Path) -> Iterator[Watching]:
    it = Watching(folder)
    yield it
    if it.process.poll() is None:
        it.process.kill()
    it.process.communicate()


def test_changes_are_told_and_in_the_index_until_it_is_stopped(folder: Path, watching: Watching) -> None:
    assert watching.next() == ("added", "docs/a.md")
    (folder / "sub" / "茶.txt").write_text("Green tea.")
    assert watching.next() == ("added", "docs/sub/茶.txt")
    (folder / "a.md").write_text("The kettle hums.")
    assert watching.next() == ("updated", "docs/a.md")
    (folder / "a.md").unlink()
    assert watching.next() == ("removed", "docs/a.md")
    assert watching.sources() == {"docs/sub/茶.txt"}
    (folder / "broken.docx").write_bytes(b"PK")
    assert watching.next() == ("skipped", "docs/broken.docx")
    status, err = watching.stop()
    assert status == 130 and "Traceback" not in err and err.count("\n") <= 3


def test_a_folder_that_is_taken_away_or_emptied_empties_no_index(folder: Path, watching: Watching) -> None:
    assert watching.next() == ("added", "docs/a.md")
    away = folder.parent / "away"
    folder.rename(away)
    assert watching.next() == ("skipped", str(folder))
    folder.mkdir()  # where a disk was mounted
    assert watching.quiet(4)
    assert watching.sources() == {"docs/a.md"}
    folder.rmdir()
    (away / "b.md").write_text("New.")
    away.rename(folder)
    while (told := watching.next())[0] == "skipped":
        pass
    assert told == ("added", "docs/b.md")
    assert watching.sources() == {"docs/a.md", "docs/b.md"}


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("docs/a.md", True),
        ("docs/gone", True),
        ("docs/.ragignore", True),
        ("docs/ragstone.sqlite", False),
        ("docs/ragstone.sqlite-wal", False),
        ("docs/writer.lock", False),
    ],
)
def test_an_index_inside_the_folder_is_no_change(tmp_path: Path, name: str, matters: bool) -> None:
    assert _matters(None, str(tmp_path / name)) == matters
