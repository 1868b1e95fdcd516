"""What PDFium tells of a page: its words with their boxes, form values, annotations.

Coordinates are points from the top left corner of the page as it is shown, cropped and turned.
"""

from __future__ import annotations

import ctypes
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from ingest.loaders.layout.words import Corners, Placed, Word
from ingest.loaders.superscript import superscript

MOST_CHARS = 2_000_000
"""Letters of one page: what has more is no page that somebody reads."""

_LIGATURE = re.compile("[\ufb00-\ufb06\u2e80-\u2fd5]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_BASE = re.compile(r"[\w)\]}|.,;:!?%€$£\"'’”»*′″）】》」』。，；：！？]$")
"""What a power or a note's mark stands behind: no sign of mathematics, whose box is higher than its digits'."""
_RECT = ctypes.sizeof(raw.FS_RECTF)
_INK = np.ones(0x3002, bool)
_INK[[*map(ord, " \t\r\n\xa0\u2002\u2003\u2009\u202f\u3000\x00")]] = False
_NOTES = {raw.FPDF_ANNOT_TEXT, raw.FPDF_ANNOT_HIGHLIGHT, raw.FPDF_ANNOT_UNDERLINE, raw.FPDF_ANNOT_SQUIGGLY,
          raw.FPDF_ANNOT_STRIKEOUT, raw.FPDF_ANNOT_STAMP, raw.FPDF_ANNOT_CARET, raw.FPDF_ANNOT_SQUARE}  # fmt: skip
_CHECKED, _UNCHECKED = "☒", "☐"


@dataclass(slots=True)
class Sheet:
    """A page as it was read. `flat` is its text as PDFium orders it where it runs from right to left, `placed` the
    boxes of its words; `notes` are what reviewers wrote, with the box that each belongs to."""

    number: int
    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    notes: list[tuple[str, Corners]] = field(default_factory=list)
    flat: str = ""
    placed: list[Placed] = field(default_factory=list)
    vertical: bool = False
    unmapped: float = 0.0


def read_sheet(document: pdfium.PdfDocument, number: int) -> Sheet:
    """The page `number` (from 1)."""
    page = document[number - 1]
    try:
        turn = page.get_rotation() // 90 % 4
        box = page.get_cropbox()
        width, height = abs(box[2] - box[0]), abs(box[3] - box[1])
        sheet = Sheet(number, *((height, width) if turn % 2 else (width, height)))
        text = page.get_textpage()
        try:
            _letters(text, sheet, box, turn)
        finally:
            text.close()
        _annotations(document, page, sheet, box, turn)
        return sheet
    finally:
        page.close()


def _letters(text: pdfium.PdfTextPage, sheet: Sheet, box: tuple[float, ...], turn: int) -> None:
    count = text.count_chars()
    if count <= 0:
        return
    if count > MOST_CHARS:
        raise ValueError(f"page {sheet.number} has {count} letters")
    rects = (raw.FS_RECTF * count)()
    handle = ctypes.cast(text.raw, ctypes.c_void_p)
    first, measure = ctypes.addressof(rects), _measure()
    for i in range(count):
        measure(handle, i, first + i * _RECT)
    letters = text.get_text_range(0, count, errors="replace")
    if len(letters) != count:  # PDFium leaves some out of the whole text
        letters = "".join(_letter(raw.FPDFText_GetUnicode(text.raw, i)) for i in range(count))
    table = np.frombuffer(rects, np.float32).reshape(count, 4)  # left, top, right, bottom
    shown = _shown(table, box, turn)
    if len(_RIGHT_TO_LEFT.findall(letters)) > count // 4:
        in_order(letters, shown, sheet)
    else:
        sheet.words = _words(letters, shown, sheet)


def in_order(letters: str, boxes: Any, sheet: Sheet) -> None:
    """The letters as they come, for text from right to left, with a box for each word."""
    for match in re.finditer(r"\r?\n|[^\S\r\n]+|\S+", letters.replace("\0", " ")):
        if match[0].strip():
            x0, y0, x1, y1 = boxes[match.start() : match.end()].T
            place = (float(x0.min()), float(y0.min()), float(x1.max()), float(y1.max()))
            sheet.placed.append((len(sheet.flat), len(sheet.flat) + len(match[0]), sheet.number, *place))
            sheet.flat += match[0]
        elif sheet.flat:
            sheet.flat += "\n" if "\n" in match[0] else " "
    sheet.flat = sheet.flat.rstrip()


@cache
def _measure() -> Callable[..., int]:
    """PDFium's function that measures a letter, taking plain addresses: a third of the time."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    return kind(ctypes.cast(raw.FPDFText_GetLooseCharBox, ctypes.c_void_p).value or 0)


def _letter(code: int) -> str:
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\x00" if not code else "\ufffd"


def _shown(table: Any, box: tuple[float, ...], turn: int) -> Any:
    """x0, y0, x1, y1 on the page as it is shown."""
    left, top, right, bottom = (table[:, i].astype(np.float64) for i in range(4))
    x0, x1 = np.minimum(left, right) - box[0], np.maximum(left, right) - box[0]
    y0, y1 = box[3] - np.maximum(top, bottom), box[3] - np.minimum(top, bottom)
    width, height = box[2] - box[0], box[3] - box[1]
    turned = (
        (x0, y0, x1, y1),
        (height - y1, x0, height - y0, x1),
        (width - x1, height - y1, width - x0, height - y0),
        (y0, width - x1, y1, width - x0),
    )[turn]
    return np.stack(turned, axis=1)


def _words(letters: str, boxes: Any, sheet: Sheet) -> list[Word]:
    codes = np.frombuffer(letters.encode("utf-32-le", "replace"), "<u4")
    kept = np.flatnonzero(_INK[np.minimum(codes, len(_INK) - 1)])
    if not len(kept):
        return []
    codes, boxes = codes[kept], boxes[kept]
    letters = codes.tobytes().decode("utf-32-le", "replace")
    unmapped = ((codes >= 0xE000) & (codes < 0xF900)) | (codes == 0xFFFD) | (codes < 32)
    sheet.unmapped = float(unmapped.mean())
    x0, y0, x1, y1 = boxes.T
    middle, size = (y0 + y1) / 2, np.maximum(y1 - y0, 0.1)
    han = ((codes >= 0x2E80) & (codes < 0xA000)) | ((codes >= 0xF900) & (codes < 0xFB00)) | (codes >= 0xFF00)
    down = han[1:] & han[:-1] & (np.abs(np.diff(x0)) < 0.3 * size[1:]) & (np.diff(y0) > 0.5 * size[1:])
    sheet.vertical = bool(down.sum() > 0.5 * max(1, han.sum() - 1)) and han.mean() > 0.5 and len(codes) > 3
    if sheet.vertical:  # read as lines of a page that is turned a quarter: columns run from right to left
        x0, y0, x1, y1 = y0, sheet.width - x1, y1, sheet.width - x0
        middle, size = (y0 + y1) / 2, np.maximum(y1 - y0, 0.1)
    blank = np.diff(kept) > 1
    gap = x0[1:] - x1[:-1]
    least = np.minimum(size[1:], size[:-1])
    apart = (np.abs(np.diff(middle)) > 0.5 * least) | (gap > 0.5 * least) | (gap < -1.2 * least)
    resized = (least < 0.82 * np.maximum(size[1:], size[:-1])) & (np.abs(np.diff(y1)) > 0.08 * least)
    starts = np.flatnonzero(np.concatenate(([True], blank | apart | resized | (han[1:] != han[:-1]))))
    glued = np.concatenate(([False], ~blank & ~(np.abs(np.diff(middle)) > 0.5 * least) & (gap < 0.3 * least)))
    small = np.concatenate(([False], size[1:] < 0.82 * size[:-1]))
    # A gap in Han text is none that a reader sees as a space, unless the writer put one.
    bounds = zip(
        starts.tolist(), [*starts[1:].tolist(), len(codes)], np.minimum.reduceat(x0, starts).tolist(),
        np.minimum.reduceat(y0, starts).tolist(), np.maximum.reduceat(x1, starts).tolist(),
        np.maximum.reduceat(y1, starts).tolist(), glued[starts].tolist(), small[starts].tolist(), strict=True,
    )  # fmt: skip
    letters = letters.replace("\ufffe", "-").replace("\x02", "-")  # a hyphen at a line's end
    tidy = bool(_LIGATURE.search(letters))
    found: list[Word] = []
    for a, b, left, top, right, bottom, close, smaller in bounds:
        word = letters[a:b]
        if tidy:
            word = _LIGATURE.sub(lambda m: unicodedata.normalize("NFKC", m[0]), word)
        last = found[-1] if smaller else None
        if last and _BASE.search(last.text) and _is_raised(last, left, top, bottom, right):
            last.text += superscript(last.text, word)
            last.x1 = max(last.x1, right)
        else:
            found.append(Word(word, left, top, right, bottom, close))
    dots = [not word.text.strip(".…·") for word in found]  # leaders, from a title to its page
    return [
        word
        for i, word in enumerate(found)
        if not (dots[i] and (len(word.text) > 2 or any(dots[max(0, i - 1) : i]) or any(dots[i + 1 : i + 2])))
    ]


def _is_raised(last: Word, x0: float, y0: float, y1: float, x1: float) -> bool:
    """Does a word stand smaller and higher, right behind `last`?"""
    size = last.y1 - last.y0
    smaller = y1 - y0 < 0.82 * size and x1 - x0 < 3 * size
    higher = y1 < last.y1 - 0.15 * size and y1 > last.y0 + 0.25 * size and y0 > last.y0 - 0.5 * size
    return smaller and higher and -0.1 * size < x0 - last.x1 < 0.25 * size


def _annotations(
    document: pdfium.PdfDocument, page: pdfium.PdfPage, sheet: Sheet, box: tuple[float, ...], turn: int
) -> None:
    """Values of forms as words in their fields; what reviewers wrote as notes."""
    form = document.formenv
    for i in range(min(raw.FPDFPage_GetAnnotCount(page.raw), 10_000)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, i)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if raw.FPDFAnnot_GetFlags(annotation) & (raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW):
                continue
            if kind == raw.FPDF_ANNOT_WIDGET and form:
                text = _value(form.raw, annotation)
            elif kind == raw.FPDF_ANNOT_FREETEXT or kind in _NOTES:
                text = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
            else:
                continue
            rect = raw.FS_RECTF()
            if not text.strip() or not raw.FPDFAnnot_GetRect(annotation, ctypes.byref(rect)):
                continue
            table = np.array([[rect.left, rect.top, rect.right, rect.bottom]])
            x0, y0, x1, y1 = _shown(table, box, turn)[0].tolist()
            if kind in _NOTES:
                sheet.notes.append((" ".join(text.split()), (x0, y0, x1, y1)))
            else:
                sheet.words += _laid(text, (x0, y0, x1, y1))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _value(form: Any, annotation: Any) -> str:
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        return _CHECKED if raw.FPDFAnnot_IsChecked(form, annotation) else _UNCHECKED
    if kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        if raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & (1 << 13) and kind == raw.FPDF_FORMFIELD_TEXTFIELD:
            return ""  # a password
        return _string(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    return ""


def _string(function: Any, *arguments: Any) -> str:
    size = function(*arguments, None, 0)
    if not 2 < size < 1 << 20:
        return ""
    buffer = (raw.FPDF_WCHAR * (size // 2 + 1))()
    function(*arguments, buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")


def _laid(text: str, field: Corners) -> Iterator[Word]:
    """Words of a value, laid into its field line by line: where exactly the viewer draws them is not told."""
    x0, y0, x1, y1 = field
    lines = [line.split() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    height = min((y1 - y0) / len(lines), 14.0)
    for i, line in enumerate(lines):
        letters = max(sum(map(len, line)) + len(line) - 1, 1)
        step = min((x1 - x0) / letters, height * 0.5)
        at, top = x0, y0 + i * height if len(lines) > 1 else (y0 + y1 - height) / 2
        for word in line:
            yield Word(word, at, top, at + step * len(word), top + height)
            at += step * (len(word) + 1)


def has_picture(document: pdfium.PdfDocument, number: int) -> bool:
    """Does a page draw something that OCR might read: a picture, or letters as outlines?"""
    page = document[number - 1]
    try:
        kinds = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_FORM)
        count = sum(1 for _, __ in zip(page.get_objects(kinds, max_depth=2), range(20), strict=False))
        image = next(iter(page.get_objects((raw.FPDF_PAGEOBJ_IMAGE,), max_depth=4)), None)
        return image is not None or count >= 20
    finally:
        page.close()


_WITHOUT_SPACES = 40
"""Letters of a Latin word beyond which it is several without their spaces."""


def is_garbage(sheet: Sheet) -> bool:
    """Is what the page says no text: letters without a meaning, or words without their spaces?"""
    text = "".join(word.text for word in sheet.words)
    if len(text) < 20:
        return False
    if sheet.unmapped > 0.2:
        return True
    long = sum(len(word.text) for word in sheet.words if len(word.text) > _WITHOUT_SPACES and word.text.isalpha())
    return long > 0.5 * len(text)
