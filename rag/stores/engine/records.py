"""What a commit has made visible, read from an engine's records."""

from __future__ import annotations

import json

from rag.errors import StoreError
from rag.stores.engine.frequencies import Segment, from_parts
from rag.stores.engine.protocol import Engine
from rag.stores.engine.ranges import holds
from rag.stores.engine.state import State
from rag.types import Document


def visible_documents(engine: Engine, state: State) -> dict[str, tuple[int, Document]]:
    """Every visible document by source, with its number."""
    visible = state.visible
    records = engine.records("document", 1, state.next - 1) if visible else {}
    read = {number: Document(**json.loads(text)) for number, text in records.items() if holds(visible, number)}
    return {document.source: (number, document) for number, document in read.items()}


def read_segment(engine: Engine, first: int, last: int, url: str) -> Segment:
    """A segment from its records. Raises StoreError where one is gone."""
    parts = engine.records("segment", first, last)
    if len(parts) != last - first + 1:
        raise StoreError(f"the index {url} changed while it was searched: ask again")
    return from_parts(parts[number] for number in sorted(parts))
