"""What the commands over the space share: the passages of an index with their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from rag.cli.bars import count_bar
from rag.cli.screen import say
from rag.types import Where

if TYPE_CHECKING:
    from rag.space.points import Points
    from rag.stores import Store

WIDTH = 100
"""Characters of a text that are shown."""


@contextmanager
def open_points(index: str | None, where: Where | None, least: int = 1) -> Iterator[tuple[Store, Points]]:
    """The store and its passages, without any model. Raises IndexMissing, StoreError, SpaceError."""
    from rag.config import load_settings
    from rag.space.points import read_points
    from rag.stores import open_store

    with closing(open_store(load_settings({"index": index}).index)) as store:
        with count_bar(say("Reading", "正在读取")) as progress:
            points = read_points(store, where, least, progress)
        yield store, points


def short(text: str, width: int = WIDTH) -> str:
    """`text` on one line, cut to `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
