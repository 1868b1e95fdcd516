"""Word vectors as Word2Vec, GloVe and fastText write them: as text, binary, or an array beside its words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rag.errors import MissingExtra, ModelError
from rag.types import Vectors

__all__ = ["is_text", "read_binary", "read_pair", "read_text"]

Table = tuple[Sequence[str], Vectors]

_LONGEST_WORD = 1000  # bytes
_MOST_DIM = 10_000
_HEAD = 4096  # bytes that say what kind of file it is


def is_text(path: Path) -> bool:
    """Whether the second line is text: binary numbers hardly ever are."""
    with path.open("rb") as file:
        head = file.read(_HEAD).partition(b"\n")[2] or b""
    try:
        head.decode()
    except UnicodeDecodeError as exc:
        return exc.start > len(head) - 4  # cut in a character
    return b"\0" not in head


def read_text(path: Path) -> Table:
    """A word and its numbers on each line; the first line may count words and numbers. Raises ModelError."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        first = file.readline().rstrip().split(" ")
        has_count = len(first) == 2 and all(part.isdecimal() for part in first)
        dim = int(first[1]) if has_count else len(first) - 1
        if not 0 < dim <= _MOST_DIM:
            raise ModelError(f"{path} holds no word vectors: its first line has {len(first)} parts")
        if not has_count:
            file.seek(0)
        words: list[str] = []
        rows: list[Vectors] = []
        for number, line in enumerate(file, 1 + has_count):
            word, vector = _line(line, dim, path, number)
            words.append(word)
            rows.append(vector)
    if not words or (has_count and len(words) != int(first[0])):
        raise _cut(path, len(words), first[0] if has_count else "some")
    return words, np.vstack(rows)


def _line(line: str, dim: int, path: Path, number: int) -> tuple[str, Vectors]:
    parts = line.rstrip().rsplit(" ", dim)
    try:
        if len(parts) != dim + 1:
            raise ValueError(f"{len(parts) - 1} numbers")
        vector = np.array(parts[1:], np.float32)
        if not np.isfinite(vector).all():
            raise ValueError("a number that is not finite")
    except ValueError as exc:
        raise ModelError(
            f"{path}, line {number}: {exc} where a word and {dim} numbers should be: the file is damaged or cut"
        ) from exc
    return parts[0].replace("\n", ""), vector


def read_binary(path: Path) -> Table:
    """Word2Vec's: a line with both counts; then for each word its bytes, a space, numbers. Raises ModelError."""
    with path.open("rb") as file:
        count = file.readline(_HEAD).split()
        if len(count) != 2 or not all(part.isdigit() for part in count) or not 0 < int(count[1]) <= _MOST_DIM:
            raise ModelError(f"{path} holds no word vectors: neither text nor Word2Vec's binary form")
        most, dim = int(count[0]), int(count[1])
        if most * 4 * dim > path.stat().st_size:
            raise _cut(path, path.stat().st_size // (4 * dim), str(most))
        words = []
        matrix = np.empty((most, dim), np.float32)
        for row in range(most):
            word = _word(file)
            numbers = file.read(4 * dim)
            if len(numbers) != 4 * dim:
                raise _cut(path, row, str(most))
            matrix[row] = np.frombuffer(numbers, "<f4")
            words.append(word)
    if not np.isfinite(matrix).all():
        raise ModelError(f"{path} holds numbers that are not finite: the file is damaged")
    return words, matrix


def _word(file: object) -> str:
    """Up to the next space; some programs end a word's numbers with a line break."""
    found = bytearray()
    while len(found) < _LONGEST_WORD:
        byte = file.read(1)  # type: ignore[attr-defined]
        if byte in {b" ", b""}:
            break
        found += byte
    return found.lstrip(b"\n").decode(errors="replace")


def _cut(path: Path, found: int, expected: str) -> ModelError:
    return ModelError(f"{path} ends after {found:,} of {expected} words: it is cut, fetch it again")


def read_pair(folder: Path) -> Table:
    """An array, ``*.npy``, beside its words, ``*.parquet``. Raises ModelError, MissingExtra without pyarrow."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as exc:
        raise MissingExtra(f"the word vectors in {folder}", "pyarrow", "words") from exc
    (array,), (table,) = folder.glob("**/*.npy"), folder.glob("**/*.parquet")
    try:
        matrix = np.load(array, mmap_mode="r", allow_pickle=False)
        words = [str(word) for word in parquet.read_table(table).column(0).to_pylist()]
    except (OSError, ValueError, ArrowException) as exc:
        raise ModelError(f"the word vectors in {folder} cannot be read: {exc}") from exc
    if len(words) != len(matrix):
        raise _cut(array, len(matrix), f"{len(words):,}")
    return words, matrix
