"""What the peers' scripts share: the commands that `run.py` starts, and how a file is cut.

A peer is a class with `ingest`, `build` and `open`. Each runs in an environment of its own, so this file
needs nothing but the standard library and NumPy. The first line on stdout is the result: `run.py` stops
its clock there.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

MODEL = os.environ.get("BENCH_MODEL", "")
"""The folder with the weights of all-MiniLM-L6-v2."""
SIZE = 1000
"""Characters of a chunk, a Chinese character counting as four: about 256 tokens of the model's, its window."""
SUFFIXES = (".md", ".txt")
K = 10
WARM_UP = 10
DEEP = 50
"""Chunks that are looked at for the ten documents of nDCG@10; this search is not timed."""

Search = Callable[[str, int], list[str]]
"""A question and k to the sources of the k best chunks, best first."""


class Peer(Protocol):
    """One pipeline. Paths in `sources` are those of the files that chunks come from."""

    def ingest(self, folder: Path, index: Path) -> int:
        """Read `folder`, cut, embed, save to `index`; the number of chunks."""
        ...

    def build(self, texts: Sequence[str], sources: Sequence[str], vectors: Any, index: Path) -> None:
        """The same from chunks with vectors, ``(n, 384) float32`` of unit length."""
        ...

    def open(self, index: Path) -> Search:
        """Load the saved index, and the model that embeds questions."""
        ...


def main(peer: Peer) -> None:
    """`ingest FOLDER INDEX`, `build GIVEN INDEX`, `cold INDEX QUESTION` or `warm INDEX QUESTIONS COUNT DEEP`."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    command, *arguments = sys.argv[1:]
    match command:
        case "ingest":
            say({"chunks": peer.ingest(Path(arguments[0]), Path(arguments[1]))})
        case "build":
            say(_build(peer, Path(arguments[0]), Path(arguments[1])))
        case "cold":
            say({"first": peer.open(Path(arguments[0]))(arguments[1], K)})
        case "warm":
            index, questions, count, deep = arguments
            say(_warm(peer.open(Path(index)), Path(questions), int(count), deep == "deep"))
        case _:
            raise SystemExit(f"no command {command!r}")


def say(result: dict[str, Any]) -> None:
    """The result, as one line."""
    print(json.dumps(result), flush=True)


def _build(peer: Peer, prepared: Path, index: Path) -> dict[str, Any]:
    import numpy as np

    rows = read_lines(prepared / "chunks.jsonl")
    vectors = np.load(prepared / f"{getattr(peer, 'vectors', 'minilm')}.npy")[: len(rows)]
    began = time.perf_counter()
    peer.build([row["text"] for row in rows], [row["source"] for row in rows], vectors, index)
    return {"chunks": len(rows), "seconds": time.perf_counter() - began}


def _warm(search: Search, questions: Path, count: int, deep: bool) -> dict[str, Any]:
    """Milliseconds of `count` different questions, each embedded and searched; what was found, if asked."""
    rows = read_lines(questions)
    for row in rows[-WARM_UP:]:
        search(row["text"], K)
    took = []
    for row in rows[:count]:
        began = time.perf_counter()
        search(row["text"], K)
        took.append(1000 * (time.perf_counter() - began))
    found = {row["_id"]: best(search(row["text"], DEEP)) for row in rows} if deep else {}
    return {"milliseconds": took, "found": found}


def best(sources: Sequence[str]) -> list[str]:
    """The first `K` different documents, by the names of their files without suffix."""
    return list(dict.fromkeys(Path(source).stem for source in sources))[:K]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """Paths and texts of the files under `folder`, in order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES:
            yield str(path), path.read_text(encoding="utf-8")


def units(text: str) -> int:
    """The length of `text` as `SIZE` counts it."""
    return len(text) + 3 * sum("\u2e80" <= c <= "\uffef" for c in text)


def split(text: str) -> list[str]:
    """Pieces of at most `SIZE`, cut at paragraphs or lines, and within a longer line at words or anywhere."""
    pieces: list[str] = []
    for line in _lines(text):
        if pieces and units(pieces[-1]) + units(line) <= SIZE:
            pieces[-1] += line
        else:
            pieces.append(line)
    return [piece.strip() for piece in pieces if piece.strip()]


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines(keepends=True):
        rest = line
        while units(rest) > SIZE:
            end = SIZE
            while units(rest[:end]) > SIZE:
                end = max(end * SIZE // units(rest[:end]), 1)
            cut = rest.rfind(" ", end // 2, end) + 1 or end
            yield rest[:cut]
            rest = rest[cut:]
        yield rest
