"""fastText's own binary files: vectors of words and of the pieces they are made of.

Source: fasttext.cc and dictionary.cc of https://github.com/facebookresearch/fastText, version 12 of the format.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rag.errors import ModelError
from rag.types import Vector, Vectors

__all__ = ["Model", "is_model"]

_MAGIC, _VERSION = 793712314, 12
_LONGEST_WORD = 10_000  # bytes


def is_model(path: Path) -> bool:
    """Whether the file begins as fastText's do."""
    with path.open("rb") as file:
        return file.read(4) == struct.pack("<i", _MAGIC)


class Model:
    """The words of a model, and the table of their vectors and their pieces', mapped from the file."""

    def __init__(self, path: Path) -> None:
        """Raises ModelError for another version, a quantised model, or a file that is cut."""
        try:
            with path.open("rb") as file:
                self._read(file, path)
        except (struct.error, ValueError, OSError, EOFError) as exc:
            raise ModelError(f"{path} is not a whole fastText model: {exc}") from exc

    def _read(self, file: BinaryIO, path: Path) -> None:
        _, version = _numbers(file, "<2i")
        if version != _VERSION:
            raise ModelError(
                f"{path} has version {version} of fastText's format, and 12 alone is read: convert it"
            )
        self.dim, _, _, _, _, _, _, _, self._bucket, self._least, self._most, _ = _numbers(file, "<12i")
        _numbers(file, "<d")
        size, n_words, _, _, pruned = _numbers(file, "<3i2q")
        if pruned > 0:
            raise ModelError(f"{path} is a quantised fastText model: the .bin that it was made from is needed")
        entries = [_entry(file) for _ in range(size)]
        self.words: Sequence[str] = [word for word, kind in entries if kind == 0]
        if len(self.words) != n_words:
            raise ValueError(f"{len(self.words)} words where {n_words} are counted")
        (quantised,) = _numbers(file, "<?")
        if quantised:
            raise ModelError(f"{path} is a quantised fastText model: the .bin that it was made from is needed")
        rows, columns = _numbers(file, "<2q")
        if columns != self.dim or rows != n_words + self._bucket or self.dim < 1:
            raise ValueError(f"a table of {rows} by {columns}")
        self._table: Vectors = np.memmap(path, "<f4", "r", file.tell(), (rows, columns))

    def rows(self) -> Vectors:
        """The vector of every word: the mean of its own and its pieces'."""
        matrix = np.empty((len(self.words), self.dim), np.float32)
        for row, word in enumerate(self.words):
            matrix[row] = self._table[[row, *self._pieces(word)]].mean(axis=0)
        return matrix

    def vector(self, word: str) -> Vector | None:
        """The mean of the pieces of a word that is not in the table; None without any."""
        pieces = self._pieces(word)
        found: Vector | None = self._table[pieces].mean(axis=0, dtype=np.float32) if pieces else None
        return found

    def _pieces(self, word: str) -> list[int]:
        """Rows of the pieces of `word` by their hash: runs of characters, with signs for its beginning and end."""
        if self._most < 1 or self._bucket < 1:
            return []
        signed = f"<{word}>"
        found = []
        for start in range(len(signed)):
            for end in range(start + max(self._least, 1), min(start + self._most, len(signed)) + 1):
                if end - start > 1 or 0 < start < len(signed) - 1:
                    found.append(len(self.words) + _hash(signed[start:end]) % self._bucket)
        return found


def _hash(piece: str) -> int:
    """FNV-1a of 32 bits, over bytes as fastText reads them: those from 128 on are negative."""
    value = 2166136261
    for byte in piece.encode():
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return value


def _numbers(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _entry(file: BinaryIO) -> tuple[str, int]:
    """A word (or a label, of kind 1), as it stands in the dictionary."""
    found = bytearray()
    while (byte := file.read(1)) != b"\0":
        if not byte or len(found) > _LONGEST_WORD:
            raise EOFError("it ends within its words")
        found += byte
    _, kind = _numbers(file, "<qb")
    return found.decode(errors="replace"), kind
