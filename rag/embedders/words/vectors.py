"""A table of words and their vectors, from whichever file it is in, read from the disk as it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np

from rag.errors import ModelError
from rag.types import Vector, Vectors
from rag.weights.cache import catalogue, model_path, weights_hash
from rag.weights.derived import derived
from rag.weights.transfer import sha256_of

__all__ = ["WordVectors", "load_word_vectors"]

DEFAULT = "glove-6b-50d"
"""The catalogue's word vectors: English."""

_VERSION = 1  # of the kept tables
_BLOCK = 50_000  # rows that are compared at once


class Subwords(Protocol):
    """What gives a vector to words that are not in the table."""

    def vector(self, word: str) -> Vector | None: ...


class WordVectors:
    """`words`, the commonest first, and the rows of `matrix`, a file that is read where it is needed.

    `weights` is the sha256 of what it was read from. `subwords` gives vectors to other words; `rows_of` splits a
    text into rows, where the table has a way of its own to do so.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        matrix: Vectors,
        weights: str,
        subwords: Subwords | None = None,
        rows_of: Callable[[str], list[int]] | None = None,
    ) -> None:
        self.name, self.words, self.matrix, self.weights = name, words, matrix, weights
        self._subwords, self.rows_of = subwords, rows_of

    @cached_property
    def rank(self) -> dict[str, int]:
        """The row of each word; of one that is there twice, the first."""
        return {word: row for row, word in reversed(list(enumerate(self.words)))}

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    def vector(self, word: str) -> Vector | None:
        """The vector of a word as it is written, or else in small letters, or by its subwords; or None."""
        row = self.rank.get(word, self.rank.get(word.lower()))
        if row is not None:
            found: Vector = np.asarray(self.matrix[row], np.float32)
            return found
        if self.rows_of and (rows := self.rows_of(word)):
            mean: Vector = self.matrix[rows].mean(axis=0, dtype=np.float32)
            return mean
        return self._subwords.vector(word) if self._subwords else None

    def nearest(self, vector: Vector, k: int, without: Sequence[str] = ()) -> list[tuple[str, float]]:
        """The `k` words whose vectors have the greatest cosine with `vector`, none of those in `without`."""
        blocks = range(0, len(self.words), _BLOCK)
        cosines = np.concatenate([_cosines(self.matrix[i : i + _BLOCK], vector) for i in blocks])
        left_out = {word.lower() for word in without}
        most = np.argsort(-cosines, kind="stable")[: k + 8 * len(left_out)]
        found: dict[str, float] = {}
        for row in most.tolist():
            if self.words[row].lower() not in left_out:
                found.setdefault(self.words[row], float(cosines[row]))
        return list(found.items())[:k]


def _cosines(rows: Vectors, vector: Vector) -> Vector:
    rows = np.asarray(rows, np.float32)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    return np.asarray(rows @ vector / np.where(lengths > 0, lengths, 1), np.float32)


def load_word_vectors(name: str = DEFAULT) -> WordVectors:
    """The word vectors called `name`: of the catalogue (fetched if missing), or at a path.

    Raises ModelError where there is no such file, or it is none of the known formats, is cut, or is damaged.
    """
    from rag.embedders.words import fasttext, formats, static

    if name in catalogue():
        return _load(name, model_path(name), weights_hash(name), formats.read_pair)
    path = Path(name).expanduser()
    if path.is_dir():
        return static.load(name, path)
    if not path.is_file():
        raise ModelError(
            f"no word vectors {name!r}: give a file, a folder of model2vec, or {DEFAULT} of the catalogue"
        )
    weights = sha256_of(path)
    if fasttext.is_model(path):
        model = fasttext.Model(path)
        found = _load(name, path, weights, lambda _: (model.words, model.rows()))
        return WordVectors(name, found.words, found.matrix, weights, model)
    return _load(name, path, weights, formats.read_text if formats.is_text(path) else formats.read_binary)


Read = Callable[[Path], tuple[Sequence[str], "Vectors"]]


def _load(name: str, path: Path, weights: str, read: Read) -> WordVectors:
    """The table at `path`, read once and then kept in a form whose rows lie on the disk."""
    key = sha256(f"{_VERSION} {weights}".encode()).hexdigest()[:16]
    kept = derived(f"words-{key}.npy", lambda to: _write(to, *read(path)))
    with kept.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        file.seek(start + dtype.itemsize * shape[0] * shape[1])
        words = np.lib.format.read_array(file, allow_pickle=False).tobytes().decode().split("\n")
    return WordVectors(name, words, np.memmap(kept, dtype, "r", start, shape), weights)


def _write(path: Path, words: Sequence[str], matrix: Vectors) -> None:
    """Both in one file: the vectors as an array, then the words, a line each, as an array of bytes."""
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(matrix, np.float32), (1, 0), allow_pickle=False)
        text = np.frombuffer("\n".join(words).encode(), np.uint8)
        np.lib.format.write_array(file, text, (1, 0), allow_pickle=False)
