"""Files broken at random: each is accounted for once, none stops the others, and what is whole is found."""

from __future__ import annotations

import os
import random
from pathlib import Path

from conftest import ROOT

from ingest.discover import discover
from rag import RAG

FILES = int(os.environ.get("RAG_HOSTILE_FILES", "12"))  # `make check-hard` has 200


def broken(data: bytes, noise: random.Random) -> bytes:
    """`data` with bits flipped, cut, with a piece twice, or with rubbish in its middle."""
    at, size = noise.randrange(len(data)), noise.randrange(1, 4000)
    match noise.randrange(4):
        case 0:
            changed = bytearray(data)
            for _ in range(noise.choice([1, 20, 400])):
                changed[noise.randrange(len(data))] ^= 1 << noise.randrange(8)
            return bytes(changed)
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[max(0, at - size) :]
        case _:
            return data[:at] + noise.randbytes(size) + data[at:]


def test_every_file_is_accounted_for(tmp_path: Path) -> None:
    noise = random.Random(7)
    folder = tmp_path / "hostile"
    folder.mkdir()
    samples = [file.path for file in discover(ROOT / "data" / "docs").files]
    for n in range(FILES):
        sample = noise.choice(samples)
        (folder / f"{n} {sample.name}").write_bytes(broken(sample.read_bytes(), noise))
    (folder / "whole.md").write_text("The whole file speaks of a zebra crossing.", "utf-8")
    with RAG.open(f"faiss:{tmp_path / 'index'}", embedder="hashed", llm="none") as rag:
        report = rag.ingest(folder)
        counted = report.added + len(report.skipped) + len(report.failed)
        assert counted == FILES + 1
        assert all("\n" not in row["reason"] for row in (*report.skipped, *report.failed))
        assert rag.search("zebra crossing")[0].source == "hostile/whole.md"
        assert rag.check().problems == []
