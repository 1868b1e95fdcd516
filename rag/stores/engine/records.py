"""The committed documents, frequencies and chunks, read from an engine's records."""

from __future__ import annotations

import json
from typing import Any

from rag.errors import StoreError
from rag.stores.engine.frequencies import Segment, from_parts
from rag.stores.engine.protocol import Engine
from rag.stores.engine.ranges import holds
from rag.stores.engine.state import State
from rag.types import Chunk, Document


def visible_documents(engine: Engine, state: State) -> dict[str, tuple[int, Document]]:
    """Every visible document by source, with its number."""
    visible = state.visible
    records = engine.records("document", 1, state.next - 1) if visible else {}
    read = {number: Document(**json.loads(text)) for number, text in records.items() if holds(visible, number)}
    return {document.source: (number, document) for number, document in read.items()}


def read_segment(engine: Engine, first: int, last: int, url: str) -> Segment:
    """A segment from its records. Raises StoreError if one is gone."""
    parts = engine.records("segment", first, last)
    if len(parts) != last - first + 1:
        raise StoreError(f"the index {url} changed while it was searched: ask again")
    return from_parts(parts[number] for number in sorted(parts))


def chunk_fields(chunk: Chunk) -> list[object]:
    """A chunk as a list for JSON, for engines that keep it in one field; `chunk_from` reads it."""
    return [
        chunk.source, chunk.text, chunk.start, chunk.end, chunk.position, chunk.page, chunk.heading, chunk.place
    ]  # fmt: skip


def chunk_from(fields: list[Any]) -> Chunk:
    """The chunk of a list made by `chunk_fields`; lists of older versions end before `place`."""
    source, text, start, end, position, page, heading, *place = fields
    return Chunk(source, text, start, end, position, page, tuple(heading), *place)


def hexadecimal(text: str) -> str:
    """`text` in hexadecimal digits, which have no meaning in any query language."""
    return f"x{text.encode('utf-8', 'surrogatepass').hex()}"
