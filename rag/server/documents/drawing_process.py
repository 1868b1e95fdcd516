"""The process that draws or measures one page of a PDF, or an image: a broken file harms nothing but this process.

Run as ``python -P -c`` by `rag.server.documents.drawing`; the job is JSON on stdin, the page goes to stdout.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass


def main() -> None:
    """Do the job on stdin. Exit status 1 where the page cannot be drawn."""
    job = json.loads(sys.stdin.buffer.read())
    _limit(job["memory"], job["seconds"])
    open_page = open_image if job["kind"] == "image" else open_pdf
    page = open_page(job["path"], job["page"])
    if "width" in job:
        sys.stdout.buffer.write(page.draw(job["width"], job["pixels"]))
    else:
        sys.stdout.buffer.write(json.dumps(page.size).encode())


def _limit(memory: int, seconds: float) -> None:
    """Bound memory and processor time where the kernel does that."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))


@dataclass(frozen=True, slots=True)
class Sheet:
    """What can be drawn: its size, and how; `draw` takes the pixels across and the most of all."""

    size: tuple[float, float]
    draw: Callable[[int, int], bytes]


def open_pdf(path: str, number: int) -> Sheet:
    import pypdfium2

    page = pypdfium2.PdfDocument(path)[number - 1]
    wide, high = page.get_size()

    def draw(width: int, pixels: int) -> bytes:
        scale = width / max(wide, 1.0)
        scale *= min(1.0, (pixels / max(wide * high * scale * scale, 1.0)) ** 0.5)
        bitmap = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False, maybe_alpha=False)
        return png(bitmap.width, bitmap.height, bitmap.stride, bitmap.n_channels, bytes(bitmap.buffer))

    return Sheet((wide, high), draw)


def open_image(path: str, number: int) -> Sheet:
    """An image that was read by OCR, whose packages bring what opens it; turned as it is meant to be seen."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        file.seek(number - 1)
        image = ImageOps.exif_transpose(file.convert("RGB"))

    def draw(width: int, pixels: int) -> bytes:
        scale = min(1.0, width / image.width, (pixels / (image.width * image.height)) ** 0.5)
        shown = image.resize((max(1, int(image.width * scale)), max(1, int(image.height * scale))))
        return png(shown.width, shown.height, 3 * shown.width, 3, shown.tobytes())

    return Sheet(image.size, draw)


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


if __name__ == "__main__":
    main()
