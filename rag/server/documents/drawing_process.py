"""The process that draws or reads one page of a PDF: a broken file harms nothing but this process.

Run as ``python -P -c`` by `rag.server.documents.drawing`; the job is JSON on stdin, the page goes to stdout.
"""

from __future__ import annotations

import json
import struct
import sys
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in points, from the top left of the page as it is shown."""


def main() -> None:
    """Do the job on stdin. Exit status 1 where the page cannot be drawn."""
    job = json.loads(sys.stdin.buffer.read())
    _limit(job["memory"], job["seconds"])
    import pypdfium2

    document = pypdfium2.PdfDocument(job["path"])
    page = document[job["page"] - 1]
    if job["kind"] == "draw":
        sys.stdout.buffer.write(draw(page, job["width"], job["pixels"]))
    else:
        width, height = page.get_size()
        boxes = find(page, job["quote"], job["at"])
        sys.stdout.buffer.write(json.dumps({"width": width, "height": height, "boxes": boxes}).encode())


def _limit(memory: int, seconds: float) -> None:
    """Bound memory and processor time where the kernel does that."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))


def draw(page: Any, width: int, pixels: int) -> bytes:
    """The page as PNG, `width` pixels wide, and never more than `pixels` of them."""
    wide, high = page.get_size()
    scale = width / max(wide, 1.0)
    scale *= min(1.0, (pixels / max(wide * high * scale * scale, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False, maybe_alpha=False)
    return png(bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels, bytes(bitmap.buffer))


def png(width: int, height: int, stride: int, channels: int, data: bytes) -> bytes:
    """A picture of 8 bits a channel (grey, RGB or RGBx) as PNG. Source: ISO/IEC 15948."""
    rows = bytearray()
    for y in range(height):
        row = data[y * stride : y * stride + width * channels]
        if channels == 4:  # the fourth byte is padding
            picked = bytearray(width * 3)
            picked[0::3], picked[1::3], picked[2::3] = row[0::4], row[1::4], row[2::4]
            row = bytes(picked)
        rows += b"\0" + row
    colour = 0 if channels == 1 else 2
    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows), 3)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def find(page: Any, quote: str, at: float) -> list[Box]:
    """A box for each line of `quote` on the page, [] where it is not there.

    Letters and digits alone are compared: two programs read the spaces and hyphens of one page differently.
    Where it stands several times, the one nearest to the share `at` of the page's letters is meant.
    """
    text = page.get_textpage()
    places: list[int] = []
    letters: list[str] = []
    for i, char in enumerate(text.get_text_range()):
        for letter in bare(char):
            letters.append(letter)
            places.append(i)
    whole, wanted = "".join(letters), bare(quote)
    if not wanted:
        return []
    starts, start = [], whole.find(wanted)
    while start >= 0:
        starts.append(start)
        start = whole.find(wanted, start + 1)
    if not starts:
        return []
    best = min(starts, key=lambda each: abs(each - at * len(whole)))
    height = page.get_size()[1]
    chars = sorted(set(places[best : best + len(wanted)]))
    return lines(
        [(left, height - top, right, height - bottom) for left, bottom, right, top in map(text.get_charbox, chars)]
    )


def bare(text: str) -> str:
    """Letters and digits in compatibility form, in lower case."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).lower() if char.isalnum())


def lines(boxes: Sequence[Box]) -> list[Box]:
    """Boxes of characters joined to one for each line."""
    found: list[Box] = []
    for left, top, right, bottom in boxes:
        if right <= left or bottom <= top:
            continue
        if found:
            a, b, c, d = found[-1]
            middle = (top + bottom) / 2
            if b <= middle <= d and -2 <= left - c <= 3 * (d - b):
                found[-1] = (min(a, left), min(b, top), max(c, right), max(d, bottom))
                continue
        found.append((left, top, right, bottom))
    return found


if __name__ == "__main__":
    main()
