"""Pictures and scanned pages drawn here and read by OCR, each word at its place; garbage is known as such."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.samples import pdf, pdf_of
from PIL import Image, ImageDraw, ImageFont

from ingest.loaders import LoadOptions, load
from ingest.loaders.pdf import _ranges
from ingest.reader_pool import Loaders
from rag.errors import LoadError, Skip
from rag.text.place import boxes
from rag.types import Page

LINES = ("Invoice number 4711", "Total amount due 1,249.50 EUR", "Payable within 30 days")


def drawn(lines: tuple[str, ...] = LINES) -> Image.Image:
    """A page of 200 dots an inch, half as high as A4."""
    picture = Image.new("RGB", (1654, 1169), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(44)
    for number, line in enumerate(lines):
        pen.text((150, 150 + 120 * number), line, "black", font)
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def reader() -> Iterator[Loaders]:
    """One reader process for all: its models are loaded once."""
    with Loaders(LoadOptions(max_seconds=300), workers=1) as loaders:
        yield loaders


def read(reader: Loaders, path: Path) -> tuple[Page, ...]:
    found = reader.load(path)
    if isinstance(found, LoadError):
        raise found
    return found


def written(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize(("name", "turned"), [("a.png", 0), ("a.tif", 180), ("a.png", 90), ("a.png", 270)])
def test_a_picture_is_read_in_whichever_way_it_lies(
    reader: Loaders, tmp_path: Path, name: str, turned: int
) -> None:
    picture = drawn().rotate(turned, expand=True)
    path = written(tmp_path, name, saved(picture, "PNG" if name == "a.png" else "TIFF"))
    (page,) = read(reader, path)
    assert [" ".join(line.split()) for line in page.text.split("\n") if line] == list(LINES)
    assert page.number == 1 and page.ocr > 0.9


def test_a_scanned_page_keeps_its_number_and_the_place_of_its_words(reader: Loaders, tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter()
    for part in (pdf(["The first page has text of its own."]), saved(drawn(), "PDF", resolution=200.0)):
        writer.append(PdfReader(io.BytesIO(part)))
    out = io.BytesIO()
    writer.write(out)
    path = written(tmp_path, "a.pdf", out.getvalue())
    first, second = read(reader, path)
    assert (first.ocr, first.number, second.number) == (0.0, 1, 2)
    at = second.text.index("1,249.50")
    (box,) = boxes(second.place, at, at + len("1,249.50"))
    left = 150 + ImageFont.load_default(44).getlength("Total amount due ")
    assert box.page == 2
    assert abs(box.x0 - left * 72 / 200) < 15 and abs(box.y0 - 270 * 72 / 200) < 15
    with pytest.raises(Skip, match=r"^a picture, and OCR is off$"):
        list(load(written(tmp_path, "a.png", b"x"), LoadOptions(ocr=False)))
    assert [page.number for page in load(path, LoadOptions(ocr=False))] == [1]


def test_pages_that_stay_unread_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter()
    scan = saved(drawn(), "PDF")
    for part in (scan, scan, pdf(["text"]), scan):
        writer.append(PdfReader(io.BytesIO(part)))
    out = io.BytesIO()
    writer.write(out)
    with caplog.at_level(logging.WARNING):
        list(load(written(tmp_path, "a.pdf", out.getvalue()), LoadOptions(ocr=False)))
    assert caplog.messages == ["pages that are pictures without text were left out: 1-2, 4"]


def test_ranges() -> None:
    assert _ranges([1, 2, 3, 5, 7, 8]) == "1-3, 5, 7-8"


def test_a_picture_without_text(reader: Loaders, tmp_path: Path) -> None:
    with pytest.raises(Skip, match=r"^no text in the picture$"):
        read(reader, written(tmp_path, "a.png", saved(drawn(()), "PNG")))


def test_a_picture_of_fifty_thousand_pixels_a_side(tmp_path: Path) -> None:
    def block(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = block(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 1, 0, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + block(b"IDAT", zlib.compress(bytes(1 << 20))) + block(b"IEND", b"")
    with pytest.raises(Skip, match=r"^too large: more than 60 million pixels$"):
        list(load(written(tmp_path, "a.png", data)))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp"])
def test_broken_pictures_are_one_sentence(tmp_path: Path, name: str) -> None:
    kinds = {"a.png": "PNG", "a.jpg": "JPEG", "a.tif": "TIFF", "a.webp": "WEBP", "a.bmp": "BMP"}
    whole = saved(drawn(), kinds[name])
    for data in (b"no picture", whole[:60], whole[: len(whole) // 2]):
        with pytest.raises(LoadError, match=r"^[^\n]+$"):
            list(load(written(tmp_path, name, data)))


def test_letters_without_a_meaning_are_no_text(tmp_path: Path) -> None:
    """A font by glyph numbers alone, which says nowhere what letters they are."""
    content = b"BT /F1 12 Tf 72 720 Td <%s> Tj ET" % b"".join(b"%04x" % n for n in range(300, 360))
    data = pdf_of([content]).replace(b"/UniGB-UCS2-H", b"/Identity-H  ").replace(b"(GB1)", b"(Identity)  "[:5])
    with pytest.raises(Skip, match=r"^no readable text: its letters have no meaning"):
        list(load(written(tmp_path, "a.pdf", data), LoadOptions(ocr=False)))
