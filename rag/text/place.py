"""Where the words of a text stand: lines of a text file, or boxes on the pages of a PDF, kept as a short string.

A loader makes the string for a page (`lines_from`, `encode`), the chunker cuts it (`cut`), stores keep it, and a
citation reads its own part of it (`boxes`, `lines`). It is base64 of deflated numbers: under a byte a letter.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag.types import Box

if TYPE_CHECKING:  # a text file's place needs no numpy
    import numpy as np
    import numpy.typing as npt

    Words = npt.NDArray[np.int32]

UNIT = 4
"""Coordinates are kept in quarters of a point."""
COLUMNS = 7
"""Of a word: first character, end, page, x0, y0, x1, y1."""
MOST_BYTES = 1 << 24

LINE, BOXES = "L", "B"


def lines_from(number: int) -> str:
    """The place of a text that begins on line `number` of its file, which it follows letter for letter."""
    return f"{LINE}{number}"


def encode(words: Sequence[tuple[int, int, int, float, float, float, float]]) -> str:
    """The place of a text whose words are ``(start, end, page, x0, y0, x1, y1)``, in order of `start`.

    Coordinates are points from the top left corner of the page as it is shown. All words of one line have the
    same y0 and y1: `boxes` joins them by that.
    """
    import numpy as np

    table = np.array([word for word in words if word[0] < word[1]], np.float64)
    if not len(table):
        return ""
    table[:, 3:] *= UNIT
    return _pack(np.rint(np.clip(table, -(2**30), 2**30)).astype(np.int32))


def cut(place: str, text: str, start: int, end: int) -> str:
    """The place of ``text[start:end]``, where `place` is that of `text`."""
    if place.startswith(LINE):
        return lines_from(int(place[1:]) + text.count("\n", 0, start))
    if not place:
        return ""
    words = _unpack(place)
    inside = words[(words[:, 0] < end) & (words[:, 1] > start)].copy()
    inside[:, :2] -= start
    return _pack(inside) if len(inside) else ""


def lines(place: str, text: str, start: int, end: int) -> tuple[int, int] | None:
    """First and last line (from 1) of ``text[start:end]`` in its file, None where the file has no lines."""
    if not place.startswith(LINE):
        return None
    first = int(place[1:]) + text.count("\n", 0, start)
    return first, first + text.count("\n", start, max(start, end - 1))


def boxes(place: str, start: int, end: int) -> tuple[Box, ...]:
    """A box for each line (or column of it) that holds some of the characters ``[start, end)``."""
    if not place.startswith(BOXES):
        return ()
    found: list[list[float]] = []
    for first, last, page, x0, y0, x1, y1 in _unpack(place).tolist():
        if first >= end or last <= start:
            continue
        # Words are short or of letters of one width, so a part of one is found by counting.
        width = (x1 - x0) / max(1, last - first)
        left = x0 + width * max(0, start - first)
        right = x1 - width * max(0, last - end)
        if found and found[-1][0] == page and found[-1][2] == y0 and found[-1][4] == y1 and left >= found[-1][1]:
            found[-1][3] = right
        else:
            found.append([page, left, y0, right, y1])
    return tuple(Box(int(page), *(value / UNIT for value in box)) for page, *box in found)


def _pack(words: Words) -> str:
    """Differences from word to word, a column after the other, low bytes first: most high bytes are 0."""
    import numpy as np

    steps = np.diff(words, axis=0, prepend=np.zeros((1, COLUMNS), np.int32)).T
    zigzag = ((steps << 1) ^ (steps >> 31)).astype("<u4")
    planes = zigzag.reshape(-1, 1).view(np.uint8).T
    return BOXES + base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode("ascii")


def _unpack(place: str) -> Words:
    import numpy as np

    data = zlib.decompressobj().decompress(base64.b64decode(place[1:]), MOST_BYTES)
    planes = np.frombuffer(data, np.uint8).reshape(4, -1)
    zigzag = np.ascontiguousarray(planes.T).view("<u4").astype(np.int64)
    steps = ((zigzag >> 1) ^ -(zigzag & 1)).reshape(COLUMNS, -1).T
    words: Words = np.cumsum(steps, axis=0).astype(np.int32)
    return words
