"""Reader processes against files that take too long, take too much, or bring the reader down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.samples import pdf, pdf_of

from ingest.loaders import LoadOptions
from ingest.long_pages import MOST
from ingest.reader_pool import Loaders, Reader, whole
from rag.errors import LoadError, Skip
from rag.types import Heading, Page


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PDF of 60 kB that takes minutes to read: one page that draws two million letters."""
    path = tmp_path_factory.mktemp("slow") / "slow.pdf"
    path.write_bytes(pdf_of([b"BT /F1 12 Tf 72 720 Td " + b"<0041> Tj " * 2_000_000 + b"ET"]))
    return path


def fill(folder: Path, texts: dict[str, str | bytes]) -> list[Path]:
    for name, text in texts.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return [folder / name for name in texts]


def outcome(pages: Iterator[Page]) -> str:
    result = whole(pages)
    return str(result) if isinstance(result, LoadError) else result[0].text


def test_pages_come_back_whole_and_in_order(tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {f"{n}.md": f"# 第{n}章\n" for n in range(20)}
    paths = fill(tmp_path, texts)
    with Loaders(workers=3) as loaders:
        found = [(path, whole(pages)) for path, pages in loaders.load_all(iter(paths))]
    assert found == [
        (p, (Page(f"# 第{n}章\n", headings=(Heading(0, 1, f"第{n}章"),), place="L1"),))
        for n, p in enumerate(paths)
    ]


def test_options_and_reasons_cross_over(tmp_path: Path) -> None:
    paths = fill(tmp_path, {"a.csv": "名,x\n茶,1\n", "b.txt": "", "c.pdf": b"none", "d.pdf": pdf(["一", "二"])})
    with Loaders(LoadOptions(csv_text=("名",)), workers=1) as loaders:
        table, empty, broken, good = (whole(pages) for _, pages in loaders.load_all(paths))
    assert table == (Page("名: 茶", label="row 1"),)
    assert isinstance(empty, Skip) and str(empty) == "empty"
    assert isinstance(broken, LoadError) and not isinstance(broken, Skip)
    assert str(broken).startswith("not a readable pdf file: ")
    assert [(page.text, page.number) for page in good] == [("一", 1), ("二", 2)]


def test_a_file_that_takes_too_long_is_given_up_and_the_next_is_read(tmp_path: Path, slow: Path) -> None:
    (after,) = fill(tmp_path, {"after.txt": "after"})
    with Loaders(LoadOptions(max_seconds=3), workers=1) as loaders:
        late, *read = [outcome(result) for _, result in loaders.load_all([slow, after])]
        while (
            read[-1].startswith("took longer") and len(read) < 20
        ):  # a busy machine needs as long to start a process
            read += [outcome(result) for _, result in loaders.load_all([after])]
    assert late.startswith("took longer than ")
    assert read[-1] == "after"


def test_a_long_file_may_take_longer_while_its_pages_come(tmp_path: Path) -> None:
    page = b"BT /F1 12 Tf 72 720 Td " + b"<00410020> Tj " * 20000 + b"ET"
    (path,) = fill(tmp_path, {"long.pdf": pdf_of([page] * 60)})
    reader = Reader(LoadOptions(max_seconds=3))
    try:
        reader.load(fill(tmp_path, {"warm.txt": "warm"})[0])
        assert [p.number for p in reader.load(path)] == list(range(1, 61))
    finally:
        reader.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limit is Linux's")
def test_a_file_that_takes_too_much_memory(tmp_path: Path) -> None:
    big = b'{"a": "' + b"x" * (150 << 20) + b'"}'  # JSON is read whole
    paths = fill(tmp_path, {"big.json": big, "after.txt": "after"})
    with Loaders(LoadOptions(max_memory=300 << 20), workers=1) as loaders:
        results = [outcome(result) for _, result in loaders.load_all(paths)]
    assert results == ["needs more than 300 MB of memory", "after"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_reader_that_dies_is_replaced(tmp_path: Path, slow: Path) -> None:
    (after,) = fill(tmp_path, {"after.txt": "after"})
    reader = Reader(LoadOptions())
    try:
        reader.load(after)
        pid = reader.pid
        assert pid is not None
        threading.Timer(0.5, os.kill, (pid, signal.SIGSEGV)).start()
        with pytest.raises(LoadError, match=r"^its reader stopped unexpectedly \(exit status -11\)$"):
            reader.load(slow)
        assert reader.load(after) == (Page("after", place="L1"),)
        assert reader.pid != pid
    finally:
        reader.close()


def test_leaving_stops_what_is_being_read(slow: Path) -> None:
    began = time.monotonic()
    with Loaders(workers=2) as loaders:
        results = loaders.load_all([slow] * 8)
        threading.Timer(1.0, loaders.__exit__).start()
        assert outcome(next(results)[1]) == "reading was stopped"
    assert time.monotonic() - began < 60  # all eight take many minutes


def test_warnings_of_the_loaders_arrive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = fill(tmp_path, {"a.txt": "打印机无法连接到网络".encode() + b"\xff"})
    with Loaders(workers=1) as loaders:
        assert outcome(next(loaders.load_all(paths))[1]) == "打印机无法连接到网络\ufffd"
    assert caplog.messages == ["a.txt: 1 characters are not valid utf-8 and were replaced"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_readers_end_when_their_parent_is_killed(slow: Path) -> None:
    code = (
        "import sys, threading; from pathlib import Path; from ingest.reader_pool import Reader;"
        "from ingest.loaders import LoadOptions; r = Reader(LoadOptions());"
        "threading.Timer(1.5, lambda: print(r.pid, flush=True)).start(); r.load(Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(slow)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not running(pid):
            return
        time.sleep(0.1)
    raise AssertionError("the reader outlived its parent")


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_nothing_in_the_current_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = "from pathlib import Path; Path('caught').touch()"
    paths = fill(tmp_path, {"bs4.py": trap, "numpy.py": trap, "json.py": trap, "a.html": "<p>safe"})
    monkeypatch.chdir(tmp_path)
    with Loaders(workers=1) as loaders:
        assert outcome(next(loaders.load_all(paths[3:]))[1]) == "safe"
    assert not (tmp_path / "caught").exists()


def test_a_reader_waits_until_its_pages_are_taken(tmp_path: Path) -> None:
    """What is read ahead is bounded, and waiting does not count as reading."""
    line = "a word and another one. " * 400
    (path,) = fill(tmp_path, {"long.csv": "text\n" + f"{line}\n" * 3000})
    with Loaders(LoadOptions(max_seconds=2), workers=1) as loaders:
        pages = next(loaders.load_all([path]))[1]
        assert next(pages).label == "row 1"
        time.sleep(3)
        assert sum(1 for _ in pages) == 2999


def test_a_long_text_comes_in_parts(tmp_path: Path) -> None:
    text = "".join(f"# Part {n}\n\n" + f"Sentence {n} of many. " * 20_000 + "\n\n" for n in range(4))
    (path,) = fill(tmp_path, {"long.md": text})
    with Loaders(workers=1) as loaders:
        parts = whole(next(loaders.load_all([path]))[1])
    assert isinstance(parts, tuple) and len(parts) > 4
    assert "".join(part.text for part in parts) == text
    assert all(text[part.offset :].startswith(part.text) for part in parts)
    assert all(len(part.text) <= MOST for part in parts)
    for part in parts:
        number = int(part.place.removeprefix("L"))
        assert number == text.count("\n", 0, part.offset) + 1
        assert part.headings[0].title == f"Part {text[: part.offset + 10].count('# Part') - 1}"
