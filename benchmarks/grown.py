"""A corpus of any size around a real one: no two texts are equal, and vectors keep real distances."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from rag.embedders import load_embedder
from rag.text import script, split_sentences

BATCH = 5000
_NEIGHBOURS, _PAIRS = 10, 8000
_STEP = 0.6, 1.4  # how far a drawn vector lies from its real one, in differences of two neighbours
_SWAPPED = 0.2  # of a drawn text's words
_PIECE = {"latin": 240, "other": 90}  # characters of a chunk, about 50 tokens
_SETS = ("xquad-en", "xquad-zh", "cmrc2018-trial", "dureader-robust-dev", "financebench-pages", "scifact")


def prepare(shared: Path, work: Path) -> None:
    """Embed the texts of `shared` with the default embedder, once: pieces, vectors, questions in `work`."""
    if (work / "neighbours.npz").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pieces = list(dict.fromkeys(p for text in _texts(shared) for p in _cut(text) if len(p) >= 20))
    pieces = [pieces[i] for i in rng.permutation(len(pieces))]
    questions = [q["text"] for name in _SETS for q in _lines(shared / "eval" / name / "queries.jsonl")]
    questions = [questions[i] for i in rng.permutation(len(questions))[:1500]]
    embedder = load_embedder("bilingual")
    vectors = np.empty((len(pieces), embedder.dim), np.float16)
    by_length = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
    for i in range(0, len(pieces), 512):
        some = by_length[i : i + 512]
        vectors[some] = embedder.embed_documents([pieces[j] for j in some])
    (work / "pieces.json").write_text(json.dumps([pieces, questions]), encoding="utf-8")
    np.save(work / "vectors.npy", vectors)
    np.savez(work / "neighbours.npz", *_neighbours(_unit(vectors), _latin(pieces), rng))


def _texts(shared: Path) -> Iterator[str]:
    for name in _SETS:
        for line in _lines(shared / "eval" / name / "corpus.jsonl"):
            yield f"{line.get('title') or ''}\n{line['text']}"
    for file in sorted((shared / "files").glob("vue-*/**/*.md")):
        yield file.read_text(encoding="utf-8")


def _lines(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _cut(text: str) -> Iterator[str]:
    """Sentences put together to pieces of about one size."""
    most, start, last = _PIECE[script(text)], 0, 0
    for a, b in split_sentences(text):
        if last and b - start > most:
            yield text[start:last][:800]
            start = a
        last = b
    yield text[start:last][:800]


def _latin(pieces: list[str]) -> npt.NDArray[np.bool_]:
    return np.array([script(piece) == "latin" for piece in pieces])


def _unit(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    vectors = vectors.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _neighbours(
    vectors: npt.NDArray[np.float32], latin: npt.NDArray[np.bool_], rng: np.random.Generator
) -> list[npt.NDArray[np.int64]]:
    """Pairs ``(n, 2)`` of rows, a vector and one of the nearest of the same script: Latin, then others."""
    found = []
    for rows in (np.flatnonzero(latin), np.flatnonzero(~latin)):
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors[rows])
        some = rng.permutation(rows)[:_PAIRS]
        near = rows[index.search(vectors[some], _NEIGHBOURS + 1)[1][:, 1:]]
        found.append(np.stack([np.repeat(some, _NEIGHBOURS), near.ravel()], axis=1))
    return found


def grown(work: Path, n: int) -> Iterator[tuple[list[str], npt.NDArray[np.float32]]]:
    """`n` texts with vectors, some thousands at a time: the real ones first, then ones drawn around them.

    A drawn vector is a real one plus the difference of two real neighbours of the same script, so that what
    is near differs as real neighbours do; a drawn text is a real one with every fifth word from another.
    """
    pieces, _ = json.loads((work / "pieces.json").read_text(encoding="utf-8"))
    vectors = _unit(np.load(work / "vectors.npy"))
    pairs, latin = list(np.load(work / "neighbours.npz").values()), _latin(pieces)
    words = [_words(piece, is_latin) for piece, is_latin in zip(pieces, latin, strict=True)]
    rng = np.random.default_rng(7)
    for start in range(0, n, BATCH):
        rows = np.arange(start, min(start + BATCH, n))
        real = rows % len(pieces)
        of, other = np.where(latin[real], *(rng.choice(each, len(rows)).T for each in pairs))
        step = rng.uniform(*_STEP, (len(rows), 1)).astype(np.float32)
        drawn = _unit(vectors[real] + step * (vectors[of] - vectors[other]))
        first = rows < len(pieces)
        drawn[first] = vectors[real[first]]
        texts = [
            pieces[i] if is_first else _mixed(rng, words[i], words[j], bool(latin[i]), row)
            for row, i, j, is_first in zip(rows.tolist(), real.tolist(), of.tolist(), first, strict=True)
        ]
        yield texts, drawn


def _words(piece: str, latin: bool) -> list[str]:
    return piece.split() if latin else [piece[i : i + 2] for i in range(0, len(piece), 2)]


def _mixed(rng: np.random.Generator, words: list[str], others: list[str], latin: bool, number: int) -> str:
    out = list(words)
    for at, which in rng.integers(0, 1 << 30, (max(1, int(len(out) * _SWAPPED)), 2)).tolist():
        out[at % len(out)] = others[which % len(others)]
    return (" " if latin else "").join([*out, f" {number}"])
