"""Readers and writers at once, in processes and threads: each reader sees one commit, and that whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, environment

from rag import RAG

SECONDS = float(os.environ.get("RAG_CROWD_SECONDS", "2"))  # `make check-hard` has 60

# A commit gives the five files of a writer's folder one number: a reader that sees two of them saw half a commit.
WRITER = """
import sys, time
from pathlib import Path
from rag import RAG
from rag.errors import IndexLocked
url, folder, seconds = sys.argv[1:]
n, done, ends = 0, 0, 0
with RAG.open(url, embedder="hashed", llm="none") as rag:
    while not done or time.monotonic() < ends:
        n += 1
        for k in range(5):
            Path(folder, f"{k}.md").write_text(f"The file with number {n}.", "utf-8")
        try:
            rag.ingest(folder)
            done += 1
            ends = ends or time.monotonic() + float(seconds)
        except IndexLocked:
            time.sleep(0.02)
print(done)
"""
READER = """
import re, sys, threading, time
from rag import RAG
from rag.errors import StoreError
url, seconds = sys.argv[1:]
counts, wrong = [0] * 3, []
def read(store, query, ends, i):
    while time.monotonic() < ends:
        try:
            chunks = store.chunks([scored.id for scored in store.dense(query, 100)])
        except StoreError as error:
            if "changed while it was searched" not in str(error):
                wrong.append(repr(error))
            continue
        seen = {(chunk.source.split("/")[0], chunk.text) for chunk in chunks}
        if len(chunks) != 10 or len(seen) != 2:
            wrong.append([(chunk.source, chunk.text) for chunk in chunks])
        counts[i] += 1
with RAG.open(url, embedder="hashed", llm="none") as rag:
    query = rag.embedder.embed_queries(["number"])[0]
    ends = time.monotonic() + float(seconds)
    threads = [threading.Thread(target=read, args=(rag.store, query, ends, i)) for i in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(min(counts), wrong[:3])
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command, pipe = [sys.executable, "-c", program, *arguments], subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, env=environment())


def test_readers_and_writers(tmp_path: Path) -> None:
    url, folders = f"faiss:{tmp_path / 'index'}", [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        for k in range(5):
            (folder / f"{k}.md").write_text("The file with number 0.", "utf-8")
    with RAG.open(url, embedder="hashed", llm="none") as rag:
        rag.ingest(*folders)
    writers = [start(WRITER, url, str(folder), str(SECONDS)) for folder in folders]
    readers = [start(READER, url, str(SECONDS)) for _ in range(2)]
    said = [process.communicate(timeout=SECONDS + 200) for process in (*writers, *readers)]
    assert [err for _, err in said] == [""] * 4
    assert [out.split(maxsplit=1)[1:] for out, _ in said] == [[], [], ["[]\n"], ["[]\n"]]
    assert min(int(out.split()[0]) for out, _ in said) > 0
    with RAG.open(url, embedder="hashed", llm="none") as rag:
        assert rag.check().problems == []
        assert len(rag.sources()) == 10
