"""Check sums over what a search reads: a damaged index says so, and never gives other hits. Pure functions.

Each row has its own, with its key in it, checked when the row is read. What is not there is noticed by what tells
of it: the state of its documents and segments, a document of its chunks, a segment of its terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from zlib import crc32

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]

_SIZES = [b"%d\0" % size for size in range(256)]
"""Sizes as they go into a sum, each before its value."""
_LARGE = 1 << 14  # bytes of a value that is not copied to be summed


class Damage(ValueError):
    """Something read from the index is not what was written; the message is what."""


def row_sum(*values: object) -> int:
    """The sum of a row's values, in order, of whatever type they are read as."""
    parts: list[bytes | memoryview] = []  # few calls of crc32: a search sums every document's row
    total = 0
    for value in values:
        data = value if isinstance(value, bytes | memoryview) else str(value).encode("utf-8", "surrogatepass")
        size = len(data)
        parts.append(_SIZES[size] if size < len(_SIZES) else b"%d\0" % size)
        if size > _LARGE:
            total, parts = crc32(data, crc32(b"".join(parts), total)), []
        else:
            parts.append(data)
    return crc32(b"".join(parts), total)


def require(right: bool, what: str) -> None:
    """Raise Damage, naming `what`, unless it is right."""
    if not right:
        raise Damage(what)


def keys_of(terms: Iterable[str]) -> Keys:
    """64-bit digests of terms, ascending: a segment's list of what it holds."""
    digests = bytearray()  # of a million terms: no list of them is made
    for term in terms:
        digests += blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    keys = np.frombuffer(digests, "<u8")
    keys.sort()  # in place
    return keys


def holds(keys: Keys, key: np.uint64) -> bool:
    """Whether `key` is among `keys` (ascending)."""
    at = int(np.searchsorted(keys, key))
    return at < len(keys) and bool(keys[at] == key)


def state_sum(row: Sequence[object], segments: Iterable[tuple[int, int]]) -> int:
    """The sum of the state's values and of the segments' (id, sum)."""
    return row_sum(*row, *(value for segment in segments for value in segment))
