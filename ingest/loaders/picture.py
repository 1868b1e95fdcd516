"""A picture as a source of its own, for an embedder that looks at it: its name, format and size are its text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ingest.title import in_words
from rag.embedders.pictures import open_picture
from rag.types import Page


def read(path: Path) -> Iterator[Page]:
    """One page. Raises `Skip` for a picture that is too large, LoadError for none."""
    _, (width, height) = open_picture(path, 64)
    yield Page(f"{in_words(path.name)} ({path.suffix[1:].upper()}, {width} × {height})", 1)
