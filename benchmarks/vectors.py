"""Many chunks that all differ, with their vectors, from the texts of a few folders.

Each is a real chunk in which one word in ten was put in the place of another, and its vector is the real
chunk's with noise that leaves a cosine of about 0.95: what engines are given must be alike for all, and
embedding 100,000 chunks with each would take hours.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.peers.common import files, split
from benchmarks.work import write_lines

SEED = 20261120
COSINE = 0.95
SWAPPED = 0.1
IN_FILE = 10
"""Chunks that are said to be of one file."""

Vectors = npt.NDArray[np.float32]


def real_chunks(folders: Sequence[Path]) -> list[str]:
    """The different chunks of the files in `folders`."""
    return list(dict.fromkeys(piece for folder in folders for _, text in files(folder) for piece in split(text)))


def varied(texts: Sequence[str], count: int) -> Iterator[str]:
    """`count` texts, no two equal: the texts again and again, some words of each changed."""
    chance = random.Random(SEED)
    words = sorted({word for text in texts[:2000] for word in text.split()})
    for n in range(count):
        own = texts[n % len(texts)].split(" ")
        for _ in range(max(1, int(SWAPPED * len(own)))):
            own[chance.randrange(len(own))] = chance.choice(words)
        yield " ".join([*own, f"({n})"])


def noisy(vectors: Vectors, count: int) -> Vectors:
    """``(count, d) float32``, unit rows at a cosine of about `COSINE` to those of `vectors` in turn."""
    chance = np.random.default_rng(SEED)
    dim = vectors.shape[1]
    spread = np.sqrt((1 / COSINE**2 - 1) / dim)
    made = vectors[np.arange(count) % len(vectors)]
    made = made + np.where(made != 0, chance.normal(0, spread, made.shape), 0).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def main() -> None:
    """`TARGET COUNT FOLDER…`: writes chunks.jsonl, minilm.npy and bilingual.npy."""
    from rag.embedders import load_embedder
    from rag.embedders.builtin.minilm import MiniLM

    target, count = Path(sys.argv[1]), int(sys.argv[2])
    texts = real_chunks([Path(folder) for folder in sys.argv[3:]])
    texts = texts[:: max(len(texts) // count, 1)]
    rows = enumerate(varied(texts, count))
    write_lines(target / "chunks.jsonl", ({"source": f"{n // IN_FILE}.txt", "text": text} for n, text in rows))
    np.save(target / "minilm.npy", noisy(MiniLM.load().embed(texts), count))
    np.save(target / "bilingual.npy", noisy(load_embedder("bilingual").embed_documents(texts), count))


if __name__ == "__main__":
    main()
