"""Where a passage stands in the text of its page. Pure functions; what cannot be located is not marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.types import Chunk, Page

SHOWN = 60_000
"""Characters of one piece of text that is shown: the passage's surroundings, where a page has more."""
ROWS = 40
"""Rows of a table that are shown before and after the passage's."""


@dataclass(frozen=True, slots=True)
class Spot:
    """What is to be shown: a page, or the row of a table, and ``[start, end)`` of its text."""

    page: int | None = None
    row: str | None = None
    start: int | None = None
    end: int | None = None


def row_of(chunk_heading: Sequence[str]) -> str | None:
    """The row of a table that a passage is of, None where it is of none."""
    return next((title for title in reversed(chunk_heading) if title.startswith("row ")), None)


def page_at(pages: Sequence[Page], spot: Spot) -> Page | None:
    """The page, or the row, that `spot` is on; the first where it names none."""
    if spot.row is not None:
        return next((page for page in pages if page.label == spot.row), None)
    if spot.page is not None:
        return next((page for page in pages if page.number == spot.page), None)
    return pages[0] if pages else None


def rows_around(pages: Sequence[Page], page: Page) -> Sequence[Page]:
    """The rows of a table near this one; none where it is no table."""
    if page.label is None or page not in pages:
        return ()
    at = pages.index(page)
    return pages[max(at - ROWS, 0) : at + ROWS + 1]


def quotation(kept: Sequence[Chunk], spot: Spot) -> str:
    """The words of the passage, as the index keeps them; "" where it does not."""
    if spot.start is None or spot.end is None:
        return ""
    for chunk in kept:
        same = chunk.page == spot.page and (spot.row is None or row_of(chunk.heading) == spot.row)
        if same and chunk.start <= spot.start and spot.end <= chunk.end:
            return chunk.text[spot.start - chunk.start : spot.end - chunk.start]
    return ""


def locate(text: str, spot: Spot, quote: str) -> tuple[int | None, int | None]:
    """Where the passage stands in `text`; (None, None) where that cannot be told."""
    if spot.start is None or spot.end is None or not 0 <= spot.start < spot.end:
        return None, None
    if spot.end <= len(text) and (not quote or text[spot.start : spot.end] == quote):
        return spot.start, spot.end
    at = text.find(quote) if quote else -1
    return (at, at + len(quote)) if at >= 0 else (None, None)


def around(text: str, start: int | None) -> tuple[int, str]:
    """Where the shown piece of `text` begins (at a line), and the piece."""
    if len(text) <= SHOWN:
        return 0, text
    first = max((start or 0) - SHOWN // 3, 0)
    first = text.rfind("\n", 0, first) + 1 if first else 0
    return first, text[first : first + SHOWN]


def from_chunks(kept: Sequence[Chunk], spot: Spot) -> Page | None:
    """A page put together from the chunks that the index keeps, each where it stood."""
    chunks = [chunk for chunk in kept if spot.page is None or chunk.page == spot.page]
    if spot.row is not None:
        chunks = [chunk for chunk in chunks if row_of(chunk.heading) == spot.row]
    if not chunks:
        return None
    number, text = chunks[0].page, ""
    for chunk in sorted((c for c in chunks if c.page == number), key=lambda c: c.start):
        if chunk.end > len(text):
            text = text[: chunk.start].ljust(chunk.start, "\n") + chunk.text
    return Page(text, number, label=spot.row)
