"""Text of pictures and scanned pages by OCR (RapidOCR, whose wheel holds the models), each word with its place."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ingest.loaders.layout.compose import compose
from ingest.loaders.layout.order import lines_of
from ingest.loaders.layout.words import Word
from rag.errors import LoadError, Skip
from rag.text.place import encode
from rag.types import Page

logger = logging.getLogger(__name__)

DPI = 200
"""At which pages are drawn for OCR."""
SURE = 0.5
"""Lines below this confidence are left out and counted."""
MOST_PIXELS = 60_000_000
LONGEST_SIDE = 4_000
"""Larger pictures are made smaller first: letters stay tall enough, memory and time stay bounded."""
MOST_FRAMES = 500
NEEDED = "no text layer: install ragstone[ocr] to have it read by OCR"


def can_ocr() -> bool:
    """Is the extra `ocr` installed?"""
    return find_spec("rapidocr") is not None


def read(path: Path) -> Iterator[Page]:
    """A page for each picture in the file (a TIFF may hold several). Raises `Skip` without OCR or text."""
    if not can_ocr():
        raise Skip(NEEDED)
    from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                for number, frame in enumerate(ImageSequence.Iterator(image), 1):
                    if number > MOST_FRAMES:
                        break
                    picture = np.asarray(ImageOps.exif_transpose(frame.convert("RGB")))
                    if page := page_of(picture, number, 1.0):
                        found += 1
                        yield page
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Skip(f"too large: more than {MOST_PIXELS // 1_000_000} million pixels") from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise LoadError(f"not a readable picture: {error}") from error
    if not found:
        raise Skip("no text in the picture")


def page_of(picture: Any, number: int, scale: float) -> Page | None:
    """The text of a picture (height, width, RGB); `scale` is points for a pixel. None where there is none.

    A page that lies on its side or on its head is read as well, without the place of its words.
    """
    rows, turns = _rows(picture)
    kept = [row for row in rows if row.sure >= SURE]
    if not kept:
        return None
    width = picture.shape[turns % 2 == 0] * scale
    lines = lines_of([word for row in kept for word in _placed(row.box * scale, row.text)], width)
    for line in lines:
        line.page = number
    text, _, words = compose(lines)
    sure = sum(row.sure for row in kept) / len(kept)
    logger.info("page %d read by OCR: confidence %.2f, %d lines left out", number, sure, len(rows) - len(kept))
    return Page(text, number, place="" if turns else encode(words), ocr=sure) if text.strip() else None


@dataclass(frozen=True, slots=True)
class _Row:
    """A line as OCR sees it: `box` are its corners ``(4, 2)``, in pixels, x first."""

    box: Any
    text: str
    sure: float


def _rows(picture: Any) -> tuple[list[_Row], int]:
    """The lines as they stand when the page is upright, and how many quarter turns to the left that takes."""
    height, width = picture.shape[:2]
    step = max(1.0, max(height, width) / LONGEST_SIDE)
    if step > 1:
        from PIL import Image

        picture = np.asarray(Image.fromarray(picture).resize((int(width / step), int(height / step))))
    reader = _reader()
    result = reader(picture[:, :, ::-1])
    if result.boxes is None or not len(result.boxes):
        return [], 0
    found = zip(result.boxes, result.txts, result.scores, strict=True)
    rows = [_Row(np.asarray(box) * step, text, float(sure)) for box, text, sure in found if text.strip()]
    turns = _turns(rows, reader.flipped)
    return [_Row(_turned(row.box, turns, width, height), row.text, row.sure) for row in rows], turns


def _turns(rows: Sequence[_Row], flipped: float) -> int:
    """Most lines upright on their sides, and read well: so lies the page; `flipped` is the share on its head."""
    long = [row for row in rows if len(row.text) > 3 and row.sure > 0.8]
    tall = [row for row in long if np.ptp(row.box[:, 1]) > 1.5 * np.ptp(row.box[:, 0])]
    if long and len(tall) > 0.7 * len(long):
        return 3 if flipped > 0.5 else 1
    return 2 if long and flipped > 0.7 else 0


def _turned(box: Any, turns: int, width: int, height: int) -> Any:
    """Corners in a picture of ``width × height`` after quarter turns to the left."""
    x, y = box[:, 0], box[:, 1]
    x, y = ((x, y), (y, width - x), (width - x, height - y), (height - y, x))[turns]
    return np.stack([x, y], 1)


def _placed(box: Any, text: str) -> Iterator[Word]:
    """The words of a line, each where its letters must be: Han letters are twice as wide."""
    x0, y0, x1, y1 = box[:, 0].min(), box[:, 1].min(), box[:, 0].max(), box[:, 1].max()
    widths = [2.0 if char > "\u2e80" else 1.0 for char in text]
    unit = (x1 - x0) / max(sum(widths), 1.0)
    at, start = float(x0), 0
    for word in text.split():
        begin = text.index(word, start)
        left = at + unit * sum(widths[start:begin])
        right = left + unit * sum(widths[begin : begin + len(word)])
        yield Word(word, float(left), float(y0), float(right), float(y1))
        at, start = right, begin + len(word)


@cache
def _reader() -> Any:
    """The reader; its models lie in its wheel, so nothing is fetched. `flipped`: lines on their head, of all."""
    from rapidocr import RapidOCR

    class Reader(RapidOCR):
        flipped = 0.0

        def cls_and_rotate(self, pictures: Any) -> Any:
            # A page stands on its feet or on its head, as most of its lines do: single lines are told wrongly.
            _, result = super().cls_and_rotate(pictures)
            labels = [label for label, _ in result.cls_res or ()]
            self.flipped = labels.count("180") / max(1, len(labels))
            if self.flipped > 0.5:
                pictures = [np.ascontiguousarray(picture[::-1, ::-1]) for picture in pictures]
            return pictures, result

    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return Reader(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 2})


def read_drawn(document: Any, number: int) -> Page | None:
    """A page of a PDF, drawn and read by OCR."""
    page = document[number - 1]
    try:
        width, height = page.get_size()
        scale = min(DPI / 72, LONGEST_SIDE / max(width, height, 1.0))
        if width * height * scale * scale > MOST_PIXELS:
            return None
        picture = page.render(scale=scale, rev_byteorder=True).to_numpy()[:, :, :3]
    finally:
        page.close()
    return page_of(np.ascontiguousarray(picture), number, 1 / scale)
