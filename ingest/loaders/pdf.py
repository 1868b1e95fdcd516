"""PDF: page by page through PDFium, as a viewer counts them, in reading order and without running heads."""

from __future__ import annotations

import logging
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pypdfium2 as pdfium
from pypdfium2 import raw

from ingest.loaders.layout.compose import compose
from ingest.loaders.layout.order import lines_of
from ingest.loaders.layout.words import Line
from ingest.loaders.layout.wrapping import ENDS, between
from ingest.loaders.ocr import NEEDED, can_ocr, read_drawn
from ingest.loaders.pdfium import Sheet, has_picture, is_garbage, read_sheet
from rag.errors import LoadError, Skip
from rag.text.place import encode
from rag.types import Heading, Page

logger = logging.getLogger(__name__)

AHEAD = 4
"""Pages on either side among which a line must come again to be a running head."""
AT_ONCE = 500
"""Pages that are read of a file before it is opened anew."""
MARGIN = 0.15
"""Part of a page's height, above and below, where running heads stand."""
NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")
PAGE_NUMBER = re.compile(
    r"[-–—\s]*(?:page|p\.|seite|第)?\s*#\s*(?:(?:of|/|von|页\s*[,，/]?\s*共)\s*#)?[-–—\s页]*", re.I
)
LARGER = 1.15
"""A line this many times as high as the text's is a heading."""
LONGEST_HEADING = 120


@dataclass(slots=True)
class Laid:
    """A page's lines, before it is known which of them every page has."""

    sheet: Sheet
    lines: list[Line]
    label: str
    heads: dict[tuple[str, int], Line] = field(default_factory=dict)


def read(path: Path, ocr: bool = True) -> Iterator[Page]:
    """The pages that have text, numbered from 1; those without are left out.

    A file that opens only with a password: `Skip("encrypted")`; no text anywhere (a scan):
    `Skip("no text layer")`. A page that cannot be read is logged as a warning and the others are kept,
    unless it is every page with text: then `LoadError`. With `ocr`, pages without text, or whose text is none
    (letters without a meaning), are drawn and read by OCR where that is installed.
    """
    document = _open(path)
    try:
        broken: list[int] = []
        found = 0
        scans = _Scans(document, ocr)
        for page in _pages(_without_heads(_sheets(path, len(document), broken)), _title(document), scans):
            found += 1
            yield page
        if broken and not found:
            raise LoadError(f"no page can be read: {len(broken)} of {len(document)} are broken")
        if not found:
            raise Skip(scans.nothing())
        scans.warn()
        if broken:
            logger.warning("pages that cannot be read: %s", ", ".join(map(str, broken)))
    finally:
        document.close()


def _open(path: Path) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Skip("encrypted") from error
        raise
    if len(document) == 0:
        raise LoadError("not a readable pdf file: it has no pages")
    if document.get_formtype() in (raw.FORMTYPE_ACRO_FORM, raw.FORMTYPE_XFA_FOREGROUND):
        document.init_forms()
    return document


def _title(document: pdfium.PdfDocument) -> str:
    return " ".join(document.get_metadata_value("Title").split())


def _sheets(path: Path, count: int, broken: list[int]) -> Iterator[Laid]:
    """The pages of a file, opened anew from time to time: PDFium keeps what it has parsed of each."""
    for first in range(1, count + 1, AT_ONCE):
        document = _open(path)
        try:
            yield from _some_sheets(document, range(first, min(first + AT_ONCE, count + 1)), broken)
        finally:
            document.close()


def _some_sheets(document: pdfium.PdfDocument, numbers: range, broken: list[int]) -> Iterator[Laid]:
    for number in numbers:
        try:
            sheet = read_sheet(document, number)
            lines = lines_of(sheet.words, sheet.height if sheet.vertical else sheet.width)
            label = document.get_page_label(number - 1)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a broken page can raise anything
            broken.append(number)
            logger.debug("page %d: %s", number, error)
            continue
        for line in lines:
            line.page = number
        yield Laid(sheet, lines, label, {} if sheet.vertical else _heads(sheet, lines))


def _heads(sheet: Sheet, lines: list[Line]) -> dict[tuple[str, int], Line]:
    """The lines near the upper and lower edge that may be running heads, by what they say and where."""
    found = {}
    for line in lines:
        piece = line.first
        if piece.y1 < MARGIN * sheet.height or piece.y0 > (1 - MARGIN) * sheet.height:
            found[NUMBER.sub("#", line.text), round(piece.y0 / 4)] = line
    return found


def _without_heads(pages: Iterable[Laid]) -> Iterator[Laid]:
    """Pages without the lines that stand at the same height on others near them, numbers aside."""
    window: deque[Laid] = deque()
    seen: deque[set[tuple[str, int]]] = deque(maxlen=AHEAD)
    for page in pages:
        window.append(page)
        if len(window) > AHEAD:
            yield _cleared(window, seen)
    while window:
        yield _cleared(window, seen)


def _cleared(window: deque[Laid], seen: deque[set[tuple[str, int]]]) -> Laid:
    others = [*seen, *(set(page.heads) for page in list(window)[1:])]
    page = window.popleft()
    seen.append(set(page.heads))
    least = 1 if len(others) == 1 else 2
    gone = [id(line) for (text, _), line in page.heads.items() if PAGE_NUMBER.fullmatch(text)]
    for (text, at), line in page.heads.items():
        near = sum(any((text, at + shift) in other for shift in (-1, 0, 1)) for other in others)
        if near >= least:
            gone.append(id(line))
    page.lines = [
        line for line in page.lines if id(line) not in gone
    ] or page.lines  # a page of nothing else says it
    return page


@dataclass(slots=True)
class _Scans:
    """Reads pages that have no text of their own by OCR, and knows which of them gave none."""

    document: pdfium.PdfDocument
    wanted: bool
    garbage: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)

    def page(self, sheet: Sheet) -> Page | None:
        """The page as OCR reads it, None where it has text of its own, or none at all."""
        doubtful = is_garbage(sheet)
        if not doubtful and (sheet.words or sheet.flat or sheet.notes):
            return None
        drawn = doubtful or has_picture(self.document, sheet.number)
        if drawn and self.wanted and can_ocr() and (made := read_drawn(self.document, sheet.number)):
            return made
        if doubtful:
            self.garbage.append(sheet.number)
            sheet.words, sheet.flat = [], ""
        elif drawn:
            self.unread.append(sheet.number)
        return None

    def nothing(self) -> str:
        """Why no page gave text."""
        if self.garbage:
            return "no readable text: its letters have no meaning (a font without a map)"
        return NEEDED if self.unread and self.wanted and not can_ocr() else "no text layer"

    def warn(self) -> None:
        """Say which pages gave no text, where others did."""
        if self.garbage:
            logger.warning("pages whose letters have no meaning were left out: %s", _ranges(self.garbage))
        if self.unread:
            logger.warning("pages that are pictures without text were left out: %s", _ranges(self.unread))


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)


def _pages(pages: Iterable[Laid], title: str, scans: _Scans) -> Iterator[Page]:
    """The text of each page; a sentence that goes on over the page's end stands on the page where it ends."""
    sizes: Counter[float] = Counter()
    carried: list[Line] = []
    path: tuple[Heading, ...] = ()
    waiting: Laid | None = None
    first = True
    for page in _chain(pages):
        if waiting is not None:
            scanned = scans.page(waiting.sheet)
            if scanned:
                yield replace(scanned, title=title if first else "")
                first, carried, waiting = False, [], page
                continue
            if not waiting.sheet.words:
                waiting.lines = []
            over = _unfinished(waiting, page) if page else []
            if made := _page(waiting, carried, over, sizes, path):
                text, path = made
                yield Page(text.text, text.number, text.headings, text.label, title if first else "", text.place)
                first = False
            carried = over
        waiting = page


def _chain(pages: Iterable[Laid]) -> Iterator[Laid | None]:
    yield from pages
    yield None


def _unfinished(page: Laid, following: Laid) -> list[Line]:
    """The lines at the end of `page` that begin a sentence which the next page ends."""
    if page.sheet.vertical or not page.lines or not following.lines:
        return []
    last, first = page.lines[-1], following.lines[0]
    goes_on = first.text[:1].islower() or (first.text[:1] > "\u2e80" and last.text[-1:] > "\u2e80")
    if last.table or first.table or not goes_on or ENDS.search(last.text) or len(last.cells) > 1:
        return []
    found: list[Line] = []
    for i in range(len(page.lines) - 1, max(-1, len(page.lines) - 6), -1):
        line = page.lines[i]
        if len(line.cells) > 1 or line.table or line.level or (found and between(line, found[0]).startswith("\n")):
            return found
        words = line.first.words
        ended = next((k for k in range(len(words) - 1 - (not found), -1, -1) if ENDS.search(words[k].text)), None)
        if ended is None:
            found.insert(0, line)
        elif ended + 1 < len(words):
            page.lines[i], rest = line.split(ended + 1)
            return [rest, *found]
        else:
            return found
    return []  # so long a sentence is none


def _page(
    page: Laid, carried: list[Line], over: list[Line], sizes: Counter[float], path: tuple[Heading, ...]
) -> tuple[Page, tuple[Heading, ...]] | None:
    kept = [line for line in page.lines if not any(line is each for each in over)]
    for line in kept:
        sizes[round(line.height * 2) / 2] += len(line.text)
    usual = sizes.most_common(1)[0][0] if sizes else 0.0
    for line in kept:
        line.level = _level(line, usual)
    flip = page.sheet.width if page.sheet.vertical else 0.0
    text, headings, words = compose([*carried, *kept], flip)
    if page.sheet.flat:
        text, words = page.sheet.flat, page.sheet.placed
    for note, corners in page.sheet.notes:
        text += "\n\n" if text else ""
        words.append((len(text), len(text) + len(note), page.sheet.number, *corners))
        text += note
    if not text:
        return None
    label = page.label.strip()
    named = f"page {label}" if label and label != str(page.sheet.number) else None
    held = tuple(Heading(0, h.level, h.title) for h in path) if not headings or headings[0].offset > 0 else ()
    for heading in headings:
        path = (*(h for h in path if h.level < heading.level), heading)
    return Page(text, page.sheet.number, (*held, *headings), named, place=encode(words)), path


def _level(line: Line, usual: float) -> int:
    """A heading's level by its size, 0 for text."""
    larger = line.height / usual if usual else 1.0
    text = line.text
    if (
        larger < LARGER
        or line.table
        or len(text) > LONGEST_HEADING
        or not any(map(str.isalpha, text))
        or text[0].islower()
    ):
        return 0
    return 1 if larger > 1.7 else 2 if larger > 1.35 else 3
