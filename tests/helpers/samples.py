"""Files made by hand for the tests of the loaders."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

FONT = (
    b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font"
    b"/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>"
    b"/DW 1000/FontDescriptor<</Type/FontDescriptor/FontName/STSong-Light/Flags 4>>>>]>>"
)
PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"


def pdf(pages: Sequence[str]) -> bytes:
    """A PDF with one page for each text, its lines set one below the other; Chinese works too."""
    return pdf_of([_drawn(page) for page in pages])


def _drawn(page: str) -> bytes:
    lines = (b"<%s> Tj T*" % line.encode("utf-16-be").hex().encode() for line in page.split("\n") if line)
    return b"BT /F1 12 Tf 14 TL 72 720 Td %s ET" % b" ".join(lines)


def pdf_of(contents: Sequence[bytes]) -> bytes:
    """A PDF whose pages have these content streams (packed)."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", FONT]
    kids = []
    for content in contents:
        packed = zlib.compress(content, 9)
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed))
        objects.append(PAGE % len(objects))
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    return _bound(objects)


def _bound(objects: Sequence[bytes]) -> bytes:
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, at = len(objects) + 1, len(body)
    tail = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, at)
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + tail
