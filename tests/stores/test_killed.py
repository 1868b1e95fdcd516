"""An ingest that is killed, at any moment: the index opens, searches, and the next ingest completes it."""

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
from rag.text import search_terms

KILLS = int(os.environ.get("RAG_KILLS", "20"))  # `make check-hard` has 1,000
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


def start(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """An ingest that waits for `go`."""
    command = [sys.executable, "-c", INGEST, url, str(folder)]
    pipe = subprocess.PIPE
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


def count(url: str) -> int:
    """How many documents are there, while somebody writes: one read, so that no commit comes between two."""
    store = open_store(url)
    try:
        return len(store.documents())
    finally:
        store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = Path(shutil.copytree(ROOT / "data" / "docs", tmp_path / "docs"))
    change(copied, 0)
    return copied


def seconds(url: str, folder: Path) -> float:
    process = go(start(url, folder))
    began = time.monotonic()
    assert finish(process) == 0
    return time.monotonic() - began


def test_killed_at_any_moment(folder: Path, tmp_path: Path) -> None:
    dice = random.Random(20)
    timed, url = f"faiss:{tmp_path / 'timed'}", f"faiss:{tmp_path / 'killed'}"
    waiting = deque(start(url, folder) for _ in range(2))
    first = seconds(timed, folder)
    change(folder, 1)
    again = seconds(timed, folder)
    cut_short, size, most = 0, 0, check(timed)
    for turn in range(2, KILLS + 2):
        process = go(waiting.popleft())
        time.sleep(dice.uniform(0, again if size > most // 2 else first))
        process.kill()
        cut_short += finish(process) != 0
        if turn < KILLS:
            waiting.append(start(url, folder))
        size = check(url)
        change(folder, turn)
    assert cut_short >= KILLS // 4  # on a machine that was busy when the time was taken, many are done before
    assert size > 0
    store, unbroken = open_store(url), open_store(f"faiss:{tmp_path / 'unbroken'}")
    for each in (store, unbroken):
        report = ingest(each, HashedEmbedder(), [folder], SETTINGS)
        assert report.failed == []
    assert content(store) == content(unbroken)
    assert ingest(store, HashedEmbedder(), [folder], SETTINGS).chunks == 0
    store.close()
    unbroken.close()


def test_killed_in_its_first_run_and_finished_in_the_second(folder: Path, tmp_path: Path) -> None:
    url = f"faiss:{tmp_path / 'index'}"
    process = go(start(url, folder))
    for _ in range(600):
        time.sleep(0.01)
        if count(url) > 3:
            break
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
    both = [start(url, folder) for _ in range(2)]
    statuses = sorted(finish(process) for process in [go(process) for process in both])
    assert statuses in ([0, 1], [0, 0])  # they may just have missed each other
    store = open_store(url)
    assert ingest(store, HashedEmbedder(), [folder], SETTINGS).chunks == 0
    store.close()
