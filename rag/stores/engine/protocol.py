"""What a search engine must be able to do to hold an index: the operations that `EngineStore` needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from rag.stores.common.bm25 import saturation
from rag.stores.engine.ranges import Ranges
from rag.types import Chunk, Vector

Counts = tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]
"""Hashes of the terms of a chunk, ascending, and how often each occurs."""

ScoredNumbers = list[tuple[int, float]]
"""(number of the chunk, score), best first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk to be written to an engine; `type` is that of its document.

    `hashes` are those of its terms, ascending, and `counts` how often each occurs; `pivot` is the mean length
    that the index's weights are computed with.
    """

    number: int
    chunk: Chunk
    type: str
    vector: Vector
    hashes: npt.NDArray[np.uint32]
    counts: npt.NDArray[np.float32]
    pivot: float

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """The counts as BM25 saturates them, all in (0, 1): a term adds ``idf * weight`` to the chunk's score."""
        a, b = saturation(self.pivot)
        near = np.float32(a + b * float(self.counts.sum()))
        shares: npt.NDArray[np.float32] = self.counts / (self.counts + near)
        return shares


def pack(row: Row) -> bytes:
    """What `unpack` reads: hashes (uint32), then counts (uint16)."""
    return row.hashes.astype("<u4").tobytes() + np.minimum(row.counts, 65_535).astype("<u2").tobytes()


def unpack(data: bytes) -> Counts:
    """The hashes of a chunk's terms, ascending, and how often each occurs."""
    split = len(data) // 6 * 4
    return np.frombuffer(data[:split], "<u4"), np.frombuffer(data[split:], "<u2").astype(np.float32)


@dataclass(frozen=True, slots=True)
class EngineFilter:
    """Which chunks an engine may return: numbers in `ranges` (None: any), type of file, pages."""

    ranges: Ranges | None = None
    type: str | None = None
    pages: tuple[int, int] | None = None


class Engine(Protocol):
    """An engine at one address. Every method raises StoreError of one line, without a password."""

    kind: str
    """How vectors are searched, for `rag status`."""
    slack: float
    """The largest ratio of an exact score to that from `matching`; 1 if that is the exact sum of weights."""

    def state(self) -> str | None:
        """The state record, None if there is none. Raises StoreError if another program uses the name."""
        ...

    def set_state(self, text: str) -> None:
        """Write the state record in one durable step."""
        ...

    def create(self, dim: int) -> bool:
        """Create the tables or collections if they are not there; returns whether they take vectors of `dim`."""
        ...

    def drop(self) -> None:
        """Delete the whole index."""
        ...

    def claims(self) -> dict[str, str]:
        """The claims of all writers, by owner."""
        ...

    def claim(self, owner: str, text: str | None) -> None:
        """Write the claim of `owner`; None removes it."""
        ...

    def add_chunks(self, rows: Sequence[Row]) -> None: ...

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None: ...

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        """The records with numbers from `first` to `last`, both included."""
        ...

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Delete chunks and records with these numbers."""
        ...

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        """The chunks nearest to `query` by cosine."""
        ...

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        """The chunks with the best sum of weights for the terms with these hashes."""
        ...

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]: ...

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        """The terms of these chunks."""
        ...

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]: ...

    def optimise(self) -> None:
        """Called when a writer ends after a commit: make what it wrote fast to search, if that needs a step."""
        ...

    def close(self) -> None: ...
