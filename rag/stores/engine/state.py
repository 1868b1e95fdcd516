"""The state record of an index on an engine without transactions: writing it is the commit.

Every record of an index has a number, in ascending order: first a document, then its chunks. A reader reads
the state, and of the records only those below `next` that are not `dead`. A writer adds records from `next`
on; what it removes stays until a state without it is written. So a killed writer leaves only records that no
reader sees, and the next writer deletes them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from rag.errors import IndexVersion
from rag.stores.common.manifest import from_json, to_json
from rag.stores.engine.ranges import Ranges, without
from rag.types import Manifest

FORMAT = 1


@dataclass(frozen=True, slots=True)
class State:
    """The content of a commit.

    `name` distinguishes an index from an earlier one at the same place; `length` is the number of terms in all
    chunks; `pivot` is the mean number of terms that the engine's weights were computed with (0: none yet);
    `segments` are (first record, last record, terms) of the frequencies; `dead` and `stale` are records to be
    deleted, of documents and of segments.
    """

    name: str
    manifest: Manifest
    generation: int = 0
    next: int = 1
    chunks: int = 0
    length: int = 0
    pivot: float = 0.0
    segments: tuple[tuple[int, int, int], ...] = ()
    dead: Ranges = ()
    stale: Ranges = ()

    @property
    def average(self) -> float:
        """The mean number of terms of a chunk, at least 1."""
        return max(self.length / self.chunks, 1.0) if self.chunks else 1.0

    @property
    def visible(self) -> Ranges:
        """The records that readers may see."""
        return without([(1, self.next - 1)], self.dead) if self.next > 1 else ()


def to_text(state: State) -> str:
    return json.dumps(asdict(state) | {"format": FORMAT, "manifest": to_json(state.manifest)})


def from_text(text: str, url: str) -> State:
    """The state that `to_text` wrote. Raises IndexVersion for another format."""
    held = json.loads(text)
    if (made := held.pop("format")) != FORMAT:
        raise IndexVersion(
            f"the index {url} has format {made} and this ragstone reads format {FORMAT}: "
            "ingest the documents again into a new index"
        )
    pairs = {name: tuple(map(tuple, held.pop(name))) for name in ("segments", "dead", "stale")}
    return State(**{**held, **pairs, "manifest": from_json(held["manifest"])})
