"""Where a passage stands in the text of its page. Pure functions; what cannot be located is not marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag.text.place import boxes
from rag.types import Box, Chunk, Page

SHOWN = 60_000
"""Characters of one piece of text that is shown: the passage's surroundings, where a page has more."""
ROWS = 40
"""Rows of a table that are shown before and after the passage's."""


TABLES = ("csv", "sheet")


@dataclass(frozen=True, slots=True)
class Spot:
    """What is to be shown: a page or a part of a document, and ``[start, end)`` of its text."""

    page: int | None = None
    part: str | None = None
    start: int | None = None
    end: int | None = None


def part_of(heading: Sequence[str]) -> str | None:
    """The part of a document that a heading path names behind the title: a row, a record, a file in an archive."""
    return next(iter(heading[1:2] or heading[:1]), None)


def join_pages(pages: Iterable[Page]) -> tuple[Page, ...]:
    """Whole pages of those that were handed on in several pieces (`ingest.long_pages`)."""
    pieces: list[list[Page]] = []
    for page in pages:
        if page.offset and pieces:
            pieces[-1].append(page)
        else:
            pieces.append([page])
    return tuple(_whole(each) if len(each) > 1 else each[0] for each in pieces)


def _whole(pieces: Sequence[Page]) -> Page:
    """A piece begins with the headings that it stands under, at offset 0: they are known already."""
    later = [replace(h, offset=h.offset + page.offset) for page in pieces[1:] for h in page.headings if h.offset]
    text = "".join(page.text for page in pieces)
    return replace(pieces[0], text=text, headings=(*pieces[0].headings, *later))


def page_at(pages: Sequence[Page], kept: Sequence[Chunk], spot: Spot) -> Page | None:
    """The page or part that `spot` is on; the first where it names none."""
    names = {title for chunk, _, _ in _holding(kept, spot) for title in chunk.heading[:2]} | {spot.part}
    fitting = [page for page in pages if spot.page is None or page.number == spot.page]
    labelled = [page for page in fitting if page.label is not None and page.label in names]
    plain = [page for page in fitting if page.label is None or spot.part is None]
    return next(iter([*labelled, *plain]), None)


def rows_around(pages: Sequence[Page], page: Page, kind: str) -> Sequence[Page]:
    """The rows of a table near this one, of its sheet; none where it is no table."""
    if kind not in TABLES or page.label is None or page not in pages:
        return ()
    at, sheet = pages.index(page), page.label.rpartition("row ")[0]
    near = pages[max(at - ROWS, 0) : at + ROWS + 1]
    return [each for each in near if each.label and each.label.rpartition("row ")[0] == sheet]


def quotation(kept: Sequence[Chunk], spot: Spot) -> str:
    """The words of the passage, as the index keeps them; "" where it does not."""
    for chunk, start, end in _holding(kept, spot):
        return chunk.text[start:end]
    return ""


def boxes_of(kept: Sequence[Chunk], spot: Spot) -> list[list[float]]:
    """Where the passage stands on its page: [left, top, right, bottom] of each line, in points."""
    for chunk, start, end in _holding(kept, spot):
        return to_corners(boxes(chunk.place, start, end), spot.page)
    return []


def to_corners(found: Iterable[Box], page: int | None) -> list[list[float]]:
    """The boxes on this page as JSON has them."""
    return [[box.x0, box.y0, box.x1, box.y1] for box in found if box.page == page]


def _holding(kept: Sequence[Chunk], spot: Spot) -> Iterator[tuple[Chunk, int, int]]:
    """The chunks that hold the whole passage, and where it stands in each."""
    if spot.start is None or spot.end is None:
        return
    for chunk in kept:
        same = chunk.page == spot.page and (spot.part is None or spot.part in chunk.heading)
        if same and chunk.start <= spot.start and spot.end <= chunk.end:
            yield chunk, spot.start - chunk.start, spot.end - chunk.start


def locate(text: str, spot: Spot, quote: str) -> tuple[int | None, int | None]:
    """Where the passage stands in `text`; (None, None) where that cannot be told."""
    if spot.start is None or spot.end is None or not 0 <= spot.start < spot.end:
        return None, None
    if spot.end <= len(text) and (not quote or text[spot.start : spot.end] == quote):
        return spot.start, spot.end
    at = text.find(quote) if quote else -1
    return (at, at + len(quote)) if at >= 0 else (None, None)


def cut_around(text: str, start: int | None) -> tuple[int, str]:
    """Where the shown piece of `text` begins (at a line), and the piece."""
    if len(text) <= SHOWN:
        return 0, text
    first = max((start or 0) - SHOWN // 3, 0)
    first = text.rfind("\n", 0, first) + 1 if first else 0
    return first, text[first : first + SHOWN]


def page_from_chunks(kept: Sequence[Chunk], spot: Spot) -> Page | None:
    """A page put together from the chunks that the index keeps, each where it stood."""
    label = next((chunk.heading[:2] for chunk, _, _ in _holding(kept, spot)), None)
    chunks = [chunk for chunk in kept if spot.page is None or chunk.page == spot.page]
    if label is not None and len({chunk.start for chunk in chunks}) < len(chunks):  # parts that each begin at 0
        chunks = [chunk for chunk in chunks if chunk.heading[:2] == label]
    if not chunks:
        return None
    number, text = chunks[0].page, ""
    for chunk in sorted((c for c in chunks if c.page == number), key=lambda c: c.start):
        if chunk.end > len(text):
            text = text[: chunk.start].ljust(chunk.start, "\n") + chunk.text
    return Page(text, number, label=spot.part)
