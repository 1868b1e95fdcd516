"""DOCX: the body's paragraphs and tables in their order, headings by outline level."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
from docx.oxml.ns import qn

from rag.errors import LoadError, Skip
from rag.types import Heading, Page

OLE = b"\xd0\xcf\x11\xe0"
LARGEST, RATIO, ENTRIES = 200 << 20, 100, 20_000
"""A zip bomb: more bytes unpacked, more times the packed size (above 10 MB), more entries than these."""

HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
# Removed by tracked changes, or a second copy for old readers of what is there already.
GONE = frozenset(
    {qn("w:del"), qn("w:moveFrom"), "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"}
)
TEXT = frozenset({qn("w:t"), "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"})
BLANKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
P, TBL, TR, TC = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")


def read(path: Path) -> list[Page]:
    """One page (a DOCX has no pages of its own): a paragraph a line, a table row as "a | b".

    Text that Word hides (w:vanish) or has struck out as a tracked change is left out; so are headers,
    footers and notes. A title (style Title) is level 1 and moves the headings one level down.
    """
    _check(path)
    document = docx.Document(str(path))
    levels = _levels(document.styles.element)
    lines = list(_lines(document.element.body, levels))
    shift = int(any(level == 0 for _, level in lines))
    parts, headings, at = [], [], 0
    for text, level in lines:
        if level is not None:
            headings.append(Heading(at, level + shift, " ".join(text.split())))
        parts.append(text)
        at += len(text) + 1
    return [Page("\n".join(parts), headings=tuple(headings))]


def _check(path: Path) -> None:
    """Is this a DOCX that can be unpacked without harm? Raises `Skip` or `LoadError`."""
    with path.open("rb") as file:
        start = file.read(len(OLE))
        if start == OLE:
            encrypted = "EncryptedPackage".encode("utf-16-le") in file.read()
            raise Skip("encrypted") if encrypted else LoadError("an old .doc file: save it as .docx")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        raise LoadError(f"not a readable docx file: {error}") from error
    size = sum(entry.file_size for entry in entries)
    ratio = size / max(1, path.stat().st_size)
    if size > LARGEST or len(entries) > ENTRIES or (ratio > RATIO and size > 10 << 20):
        raise Skip(f"too large: unpacks to {size >> 20} MB, {ratio:.0f} times its size")


def _levels(styles: Any) -> dict[str, int]:
    """Style id → heading level (0 for the title); ids are localised, names and outline levels are not."""
    by_id = {style.get(qn("w:styleId")): style for style in styles.iter(qn("w:style"))}
    levels = {}
    for key, style in by_id.items():
        seen: set[str] = set()
        while style is not None and (name := str(style.get(qn("w:styleId")))) not in seen:
            seen.add(name)
            if (level := _level_of_style(style)) is not None:
                levels[key] = level
                break
            style = by_id.get(_value(style, "w:basedOn"))  # noqa: PLW2901 - walks up the chain
    return levels


def _level_of_style(style: Any) -> int | None:
    name = _value(style, "w:name") or ""
    if name.lower() == "title":
        return 0
    if match := HEADING.match(name):
        return int(match[1])
    return _outline(style)


def _outline(element: Any) -> int | None:
    """The outline level that a style or paragraph states itself, from 1; 9 in the file is body text."""
    properties = element.find(qn("w:pPr"))
    value = _value(properties, "w:outlineLvl") if properties is not None else None
    return int(value) + 1 if value and value.isdigit() and int(value) < 9 else None


def _value(element: Any, tag: str) -> str | None:
    child = element.find(qn(tag))
    value = child.get(qn("w:val")) if child is not None else None
    return None if value is None else str(value)


def _lines(body: Any, levels: dict[str, int]) -> Iterator[tuple[str, int | None]]:
    """Each paragraph and table row with its heading level, through content controls."""
    stack = [iter(body)]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif child.tag == P:
            if text := _text(child).strip():
                yield text, _level(child, levels)
        elif child.tag == TBL:
            yield from ((row, None) for row in _rows(child))
        elif isinstance(child.tag, str) and child.tag not in GONE:
            stack.append(iter(child))


def _level(paragraph: Any, levels: dict[str, int]) -> int | None:
    own = _outline(paragraph)
    properties = paragraph.find(qn("w:pPr"))
    style = _value(properties, "w:pStyle") if properties is not None else None
    return own if own is not None else levels.get(style or "")


def _rows(table: Any) -> Iterator[str]:
    for row in table.iter(TR):
        if any(parent.tag == TR for parent in row.iterancestors()):
            continue  # a table inside a cell is part of that cell's text
        cells = [" ".join(_text(cell).split()) for cell in row.iter(TC) if _owner(cell) is row]
        if any(cells):
            yield " | ".join(cells)


def _owner(cell: Any) -> Any:
    return next(parent for parent in cell.iterancestors() if parent.tag == TR)


def _text(element: Any) -> str:
    """The visible text under an element; paragraphs inside it (cells, text boxes) begin new lines."""
    parts: list[str] = []
    stack = [iter(element)]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        elif child.tag in TEXT:
            parts.append(child.text or "")
        elif child.tag in BLANKS:
            parts.append(BLANKS[child.tag])
        elif isinstance(child.tag, str) and child.tag not in GONE and not _hidden(child):
            if child.tag == P and parts:
                parts.append("\n")
            stack.append(iter(child))
    return "".join(parts)


def _hidden(run: Any) -> bool:
    if run.tag != qn("w:r"):
        return False
    vanish = run.find(f"{qn('w:rPr')}/{qn('w:vanish')}")
    return vanish is not None and vanish.get(qn("w:val")) not in ("0", "false", "off")
