"""An ingest or a copy that is killed, at any moment: the index opens, searches, and the next one completes it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, environment

from ingest.pipeline import ingest
from rag import RAG
from rag.config import Settings
from rag.embedders.hashed import HashedEmbedder
from rag.errors import IndexMissing
from rag.stores import Store, open_store
from rag.stores.copy import copy
from rag.text import search_terms

KILLS = int(os.environ.get("RAG_KILLS", "20"))  # `make check-hard` has 1,000; a quarter of them in copies
SETTINGS = Settings(chunk_tokens=48)
QUESTIONS = ["warranty of the Heron Pro", "保修期是多久", "descaling", "请假", "number 7 of round 3", "E05 水泵"]

# Small batches, so that there are many commits to be killed in. Works when it is told to, since Python takes
# its time to start.
INGEST = """
import sys
from pathlib import Path
import ingest.pipeline as pipeline
from rag.config import Settings
from rag.embedders.hashed import HashedEmbedder
from rag.stores import open_store
pipeline.BATCH = 24
store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
pipeline.ingest(store, HashedEmbedder(), [Path(sys.argv[2])], Settings(chunk_tokens=48))
"""


# The same, but with some documents committed it says so, and waits.
BEGUN = INGEST.replace(
    "store = ",
    """
from rag.stores.faiss.writer import SqliteWriter
commit = SqliteWriter.commit
def commit_some(writer):
    commit(writer)
    if len(store.documents()) > 3:
        print("some", flush=True)
        sys.stdin.readline()
SqliteWriter.commit = commit_some
store = """,
)

COPY = """
import sys
import rag.stores.copy as copies
from rag.stores import open_store
copies.BATCH = 24
source, target = map(open_store, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
copies.copy(source, target)
"""


def start(program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """A program that waits for `go`."""
    command, pipe = [sys.executable, "-c", program, *map(str, arguments)], subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT, env=environment())


def go(process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline().strip() == b"ready"
    process.stdin.write(b"\n")
    process.stdin.flush()
    return process


def finish(process: subprocess.Popen[bytes]) -> int:
    process.communicate(timeout=60)
    return process.returncode


def change(folder: Path, turn: int) -> None:
    """Another version of ten files, a new one, and one less."""
    for n in range(10):
        text = f"# File {n}\n\n" + "".join(f"Sentence {k}, number {n} of round {turn}.\n\n" for k in range(8))
        (folder / f"extra-{n}.md").write_text(text, encoding="utf-8")
    (folder / f"new-{turn}.txt").write_text(f"New in round {turn}. 第{turn}轮。", encoding="utf-8")
    (folder / f"new-{turn - 3}.txt").unlink(missing_ok=True)


def content(store: Store) -> tuple[object, ...]:
    """All that an index holds, ids and times aside: documents, chunks with their vectors' cosines, BM25."""
    hashed = HashedEmbedder()
    documents = {name: (d.sha256, d.path, d.size, d.type, d.chunks) for name, d in store.documents().items()}
    found: list[object] = []
    for question in QUESTIONS:
        near = store.dense(hashed.embed_queries([question])[0], 100_000)
        for scored in (near, store.lexical(search_terms(question), 100_000)):
            chunks = store.chunks([s.id for s in scored])
            rows = [
                (c.source, c.position, c.text, c.start, c.heading, round(s.score, 4))
                for c, s in zip(chunks, scored, strict=True)
            ]
            found.append(sorted(rows))
    return documents, found


def check(url: str) -> int:
    """The index opens and searches, and holds each of its documents whole; how many there are."""
    store = open_store(url)
    try:
        every = store.dense(HashedEmbedder().embed_queries(["x"])[0], 100_000)
        documents = store.documents()
        chunks = store.chunks([s.id for s in every])
        places = sorted((c.source, c.position) for c in chunks)
        assert places == sorted((name, n) for name, d in documents.items() for n in range(d.chunks))
        for chunk in chunks[:3]:
            vector = HashedEmbedder().embed_queries([chunk.text])[0]
            assert np.isfinite(store.dense(vector, 1)[0].score)
            assert store.lexical(search_terms(chunk.text), 1)
        return len(documents)
    except IndexMissing:
        return 0
    finally:
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = Path(shutil.copytree(ROOT / "data" / "docs", tmp_path / "docs"))
    change(copied, 0)
    return copied


class Killer:
    """Ends programs at a random moment of their work, however fast the machine is.

    Where a program was done first, the next is given less time, and a killed one gives the next a little more.
    """

    def __init__(self, seconds: float) -> None:
        self.killed = 0
        self._dice = random.Random(20)
        self._seconds = seconds

    def kill(self, process: subprocess.Popen[bytes]) -> bool:
        """Let it work for some time; whether it was killed in it."""
        go(process)
        time.sleep(self._dice.uniform(0, self._seconds))
        process.kill()
        killed = finish(process) != 0
        self.killed += killed
        self._seconds *= 1.05 if killed else 0.9
        return killed


def test_an_ingest_killed_at_any_moment(folder: Path, tmp_path: Path) -> None:
    url = f"faiss:{tmp_path / 'killed'}"
    killer, turn = Killer(0.5), 1
    waiting = deque(start(INGEST, url, folder) for _ in range(2))
    while killer.killed < KILLS - KILLS // 4:
        killer.kill(waiting.popleft())
        waiting.append(start(INGEST, url, folder))
        check(url)
        change(folder, turn := turn + 1)
    for process in waiting:
        process.kill()
        finish(process)
    store, unbroken = open_store(url), open_store(f"faiss:{tmp_path / 'unbroken'}")
    for each in (store, unbroken):
        report = ingest(each, HashedEmbedder(), [folder], SETTINGS)
        assert report.failed == []
    assert content(store) == content(unbroken)
    assert ingest(store, HashedEmbedder(), [folder], SETTINGS).chunks == 0
    assert store.check().problems == []
    store.close()
    unbroken.close()


def test_a_copy_killed_at_any_moment(folder: Path, tmp_path: Path) -> None:
    source = open_store(f"faiss:{tmp_path / 'source'}")
    ingest(source, HashedEmbedder(), [folder], SETTINGS)
    killer, copies, at = Killer(0.2), 0, 0
    while killer.killed < KILLS // 4:
        target = tmp_path / f"copy {copies}"
        killed = killer.kill(start(COPY, source.url, f"faiss:{target}"))
        before, at = at, check(f"faiss:{target}")
        assert at >= before
        if not killed:
            assert at == len(source.documents())
            shutil.rmtree(target)
            copies, at = copies + 1, 0
    with_rest = open_store(f"faiss:{tmp_path / f'copy {copies}'}")
    copy(source, with_rest)
    assert content(with_rest) == content(source)
    assert with_rest.check().problems == []
    with_rest.close()
    source.close()


def test_killed_in_its_first_run_and_finished_in_the_second(folder: Path, tmp_path: Path) -> None:
    url = f"faiss:{tmp_path / 'index'}"
    process = go(start(BEGUN, url, folder))
    assert process.stdout is not None
    assert process.stdout.readline() == b"some\n"
    process.kill()
    assert finish(process) != 0
    kept = check(url)
    assert kept > 3
    with RAG.open(url, embedder="hashed", llm="none", chunk_tokens=48) as rag:
        report = rag.ingest(folder)
        assert report.unchanged == kept
        assert report.added > 0
        assert rag.search("保修期", 1)


def test_two_at_once(folder: Path, tmp_path: Path) -> None:
    """One of two ingests does the work, the other says that the index is locked; nothing is written twice."""
    url = f"faiss:{tmp_path / 'index'}"
    both = [start(INGEST, url, folder) for _ in range(2)]
    statuses = sorted(finish(process) for process in [go(process) for process in both])
    assert statuses in ([0, 1], [0, 0])  # they may just have missed each other
    store = open_store(url)
    assert ingest(store, HashedEmbedder(), [folder], SETTINGS).chunks == 0
    store.close()
