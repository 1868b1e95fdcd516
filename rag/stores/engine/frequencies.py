"""How many chunks hold each term: sorted arrays of hashed terms with counts, in segments that add up."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int32]

_PART = 60_000  # characters of a segment in one record: Milvus takes no more than 65,535


def term_hash(term: str) -> int:
    """The number of `term` in an engine: a hash of 32 bits, without the highest values, which engines reserve.

    A term shares its number with one of a million others with a probability of 0.0002; the engine then treats
    the two as one term, in frequencies and in scores.
    """
    return min(crc32(term.encode("utf-8", "surrogatepass")), 0xFFFFFFFE)


@dataclass(frozen=True, slots=True)
class Segment:
    """Changes of the frequencies of some terms: `hashes` ascending, `counts` of the same length, not 0."""

    hashes: Hashes
    counts: Counts

    def __len__(self) -> int:
        return len(self.hashes)

    def of(self, hashes: Hashes) -> Counts:
        """The count of each of `hashes`, 0 for one that is not in the segment."""
        if not len(self.hashes):
            return np.zeros(len(hashes), np.int32)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, self.counts[at], 0).astype(np.int32)


def segment(counts: Mapping[int, int]) -> Segment:
    """A segment of these counts by hash."""
    pairs = sorted((key, count) for key, count in counts.items() if count)
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return Segment(both[:, 0].astype(np.uint32), both[:, 1].astype(np.int32))


def add_segments(segments: Sequence[Segment]) -> Segment:
    """The sum of these segments as one segment."""
    hashes, rows = np.unique(np.concatenate([each.hashes for each in segments]), return_inverse=True)
    counts = np.bincount(rows, np.concatenate([each.counts for each in segments]), len(hashes)).astype(np.int32)
    return Segment(hashes[counts != 0].astype(np.uint32), counts[counts != 0])


def to_parts(held: Segment) -> list[str]:
    """The segment as texts of at most 60,000 ASCII characters each."""
    steps = np.diff(held.hashes, prepend=np.uint32(0)).astype("<u4").tobytes()
    text = b64encode(zlib.compress(steps + held.counts.astype("<i4").tobytes(), 1)).decode("ascii")
    return [text[i : i + _PART] for i in range(0, len(text), _PART)]


def from_parts(parts: Iterable[str]) -> Segment:
    """The segment that `to_parts` wrote."""
    data = zlib.decompress(b64decode("".join(parts)))
    half = len(data) // 2
    hashes = np.cumsum(np.frombuffer(data[:half], "<u4"), dtype=np.uint32)
    return Segment(hashes, np.frombuffer(data[half:], "<i4").astype(np.int32))
