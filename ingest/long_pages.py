"""Long pages in parts: a text of 200 MB is never held whole by what embeds it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rag.text.place import cut
from rag.types import Heading, Page

MOST = 1 << 18
"""Characters of a part, at most: a thousand chunks."""
_NEAR = 1 << 12  # characters before that in which a good place to cut is looked for
_PLACES = tuple(map(re.compile, (r"\n{2,}", r"\n", r"(?<=[。！？…])|(?<=[.!?])\s+", r"\s+")))  # best first


def split_long_pages(pages: Iterable[Page]) -> Iterator[Page]:
    """`pages`, those that are longer than `MOST` in several with their `offset`, each under its headings."""
    for page in pages:
        if len(page.text) <= MOST:
            yield page
        else:
            yield from _parts(page)


def _parts(page: Page) -> Iterator[Page]:
    start = 0
    while start < len(page.text):
        end = end_of_part(page.text, start)
        yield replace(
            page,
            text=page.text[start:end],
            headings=tuple(headings_between(page.headings, start, end)),
            place=cut(page.place, page.text, start, end),
            offset=page.offset + start,
        )
        start = end


def end_of_part(text: str, start: int) -> int:
    """Where a part that begins at `start` ends: behind the last good place to cut, if there is one."""
    most = start + MOST
    if most >= len(text):
        return len(text)
    for place in _PLACES:
        found = [match.end() for match in place.finditer(text, most - _NEAR, most)]
        if found:
            return found[-1]
    return most


def headings_between(headings: Iterable[Heading], start: int, end: int) -> Iterator[Heading]:
    """The headings in a part; at its beginning those that it stands under."""
    above: list[Heading] = []
    inside: list[Heading] = []
    for heading in headings:
        if heading.offset < start:
            above = [h for h in above if h.level < heading.level]
            above.append(replace(heading, offset=0))
        elif heading.offset < end:
            inside.append(replace(heading, offset=heading.offset - start))
    if inside and inside[0].offset == 0:  # the part begins with a heading of its own
        above = [h for h in above if h.level < inside[0].level]
    yield from above
    yield from inside
