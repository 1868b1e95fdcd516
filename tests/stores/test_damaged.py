"""A damaged index gives the same hits or one clear line: never others, and never a traceback."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rag import RAG
from rag.errors import IndexDamaged, RagError, StoreError
from rag.index import Index
from rag.stores.faiss.schema import FILE
from rag.stores.faiss.store import FaissStore

RUNS = int(os.environ.get("RAG_DAMAGED_INDEXES", "60"))  # `make check-hard` has 500
QUESTIONS = (
    "How long is the warranty of the Tern?",
    "保修期多久",
    "extension of Anna Lindqvist",
    "topic 17 words",
)

DELETIONS = (
    "DELETE FROM vectors", "DELETE FROM segments", "DELETE FROM postings", "DELETE FROM documents",
    "DELETE FROM state", "DELETE FROM chunks", "DELETE FROM codes", "DELETE FROM vectors WHERE id = 3",
    "DELETE FROM documents WHERE id = 2", "DELETE FROM chunks WHERE id % 2 = 0",
    "DELETE FROM postings WHERE term LIKE 'w%'", "DELETE FROM segments WHERE id = 1",
    "UPDATE postings SET frequency = frequency + 1", "UPDATE vectors SET data = zeroblob(length(data))",
    "UPDATE documents SET first = first + 1", "UPDATE chunks SET text = upper(text)", "UPDATE state SET next = 1",
    "UPDATE documents SET source = 'x' WHERE id = 1", "UPDATE documents SET lengths = x'00'",
    "UPDATE chunks SET heading = 'no json'", "UPDATE vectors SET data = 'text'",
    "UPDATE state SET manifest = '{}'", "DROP TABLE postings", "DROP TABLE chunks",
)  # fmt: skip


@pytest.fixture
def whole(notes: Path, tmp_path: Path) -> Path:
    """An index of some sixty chunks in a few commits."""
    for n in range(40):
        (notes / f"topic {n}.md").write_text(
            f"# Topic {n}\n\n" + f"Words about topic {n} and {n * n}. " * 20, "utf-8"
        )
    folder = tmp_path / "whole"
    with RAG.open(f"faiss:{folder}", embedder="hashed", llm="none") as rag:
        rag.ingest(notes)
    return folder


def hits(folder: Path) -> list[Any]:
    with RAG.open(f"faiss:{folder}", embedder="hashed", llm="none") as rag:
        return [[(h.score, h.chunk) for h in rag.search(question, 5)] for question in QUESTIONS]


def outcome(folder: Path) -> list[Any] | str:
    """What a search finds, or the one line that it ends with; anything else is raised."""
    try:
        return hits(folder)
    except RagError as error:
        assert "\n" not in str(error)
        return str(error)


def flipped(data: bytearray, noise: random.Random) -> None:
    for _ in range(noise.choice([1, 3, 20])):
        data[noise.randrange(len(data))] ^= 1 << noise.randrange(8)


def cut(data: bytearray, noise: random.Random) -> None:
    del data[noise.randrange(len(data)) :]


def overwritten(data: bytearray, noise: random.Random) -> None:
    at = noise.randrange(len(data) // 8192) * 8192
    data[at : at + 8192] = noise.choice([bytes(8192), noise.randbytes(8192), bytes(data[:8192])])


def swapped(data: bytearray, noise: random.Random) -> None:
    a, b = (noise.randrange(len(data) // 8192) * 8192 for _ in range(2))
    data[a : a + 8192], data[b : b + 8192] = data[b : b + 8192], data[a : a + 8192]


def test_random_damage(whole: Path, tmp_path: Path) -> None:
    right, good = hits(whole), (whole / FILE).read_bytes()
    said = 0
    for seed in range(RUNS):
        noise = random.Random(seed)
        data = bytearray(good)
        damage: Callable[[bytearray, random.Random], None] = noise.choice(
            [flipped, flipped, cut, overwritten, swapped]
        )
        damage(data, noise)
        folder = tmp_path / f"damaged {seed}"
        folder.mkdir()
        (folder / FILE).write_bytes(data)
        found = outcome(folder)
        assert isinstance(found, str) or found == right, (seed, damage.__name__)
        said += isinstance(found, str)
        try:  # neither do a check and a repair end otherwise
            with Index.open(f"faiss:{folder}") as index:
                if index.check().problems:
                    index.check(repair=True)
                    assert index.check().problems == [], (seed, damage.__name__)
        except RagError as error:
            assert "\n" not in str(error)
        shutil.rmtree(folder)
    assert said > RUNS // 4  # else nothing was damaged


@pytest.mark.parametrize("statement", DELETIONS)
def test_rows_that_somebody_changed(whole: Path, statement: str) -> None:
    right = hits(whole)
    with closing(sqlite3.connect(whole / FILE)) as db:
        db.execute(statement)
        db.commit()
    found = outcome(whole)
    # The codes are read from 20,000 chunks on.
    assert isinstance(found, str) or (found == right and "codes" in statement), found
    with Index.open(f"faiss:{whole}") as index:
        try:
            assert index.check().problems
        except StoreError as error:
            assert "\n" not in str(error)


def test_repair_keeps_what_is_whole_and_ingest_reads_the_rest(whole: Path, notes: Path) -> None:
    right = hits(whole)
    with closing(sqlite3.connect(whole / FILE)) as db:
        db.execute("DELETE FROM postings")
        db.execute("DELETE FROM codes")
        (key,) = db.execute("SELECT id FROM documents WHERE source = 'notes/topic 3.md'").fetchone()
        db.execute("UPDATE chunks SET text = 'other words' WHERE document = ?", (key,))
        db.commit()
    with pytest.raises(IndexDamaged, match=r"run `rag check --repair"):
        hits(whole)
    with Index.open(f"faiss:{whole}") as index:
        found = index.check(repair=True)
        assert (found.lost, found.documents) == (["notes/topic 3.md"], 43)
        assert index.check().problems == []
    with RAG.open(f"faiss:{whole}", embedder="hashed", llm="none") as rag:
        report = rag.ingest(notes)
    assert (report.added, report.unchanged) == (1, 43)
    assert [[score for score, _ in found] for found in hits(whole)] == [[score for score, _ in f] for f in right]
    assert not (whole / ".repair").exists()


def test_codes_are_checked_too(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.stores.faiss.store.CODES_FROM", 1)
    right = hits(whole)
    assert hits(whole) == right
    with closing(sqlite3.connect(whole / FILE)) as db:
        (data,) = db.execute("SELECT data FROM codes WHERE first = 1").fetchone()
        db.execute("UPDATE codes SET data = ? WHERE first = 1", (bytes([data[0] ^ 1]) + data[1:],))
        db.commit()
    with pytest.raises(IndexDamaged, match="a code"):
        hits(whole)


def test_an_index_that_is_whole(whole: Path) -> None:
    store = FaissStore(whole)
    found = store.check()
    assert (found.documents, found.problems, found.lost) == (44, [], [])
    before = (whole / FILE).read_bytes()
    assert store.repair().problems == []
    assert (whole / FILE).read_bytes() == before
    store.close()
