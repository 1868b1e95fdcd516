"""PPTX: every slide one page, its title as heading; tables, groups, charts and the speaker's notes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.package import Package
from rag.types import Heading, Page

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_SMALL = ("dt", "ftr", "sldNum", "hdr", "sldImg")


def read(path: Path) -> Iterator[Page]:
    """One page a slide, in the order of the show, labelled "slide n"; hidden slides are read too."""
    package = Package(path, "pptx", "an old .ppt file under another name: save it as .pptx")
    try:
        shown = package.relations(package.main)
        order = package.xml(package.main).iter(f"{_P}sldId")
        title = package.title
        for number, slide in enumerate(order, 1):
            target = shown.get(slide.get(f"{_R}id") or "", ("", ""))[1]
            if target not in package.names:
                continue
            yield _page(package, target, number, title)
            title = ""
    finally:
        package.close()


def _page(package: Package, target: str, number: int, title: str) -> Page:
    root, related = package.xml(target), package.relations(target)
    headings: list[Heading] = []
    parts: list[str] = []
    for shape in root.iter(f"{_P}sp", f"{_P}graphicFrame", f"{_P}pic"):
        kind = _placeholder(shape)
        if kind in _SMALL:
            continue
        text = _text(shape, package, related)
        if not text:
            continue
        if kind in ("title", "ctrTitle") and not headings:
            parts.insert(0, text)
            headings = [Heading(0, 2, " ".join(text.split()))]
        else:
            parts.append(text)
    for kind, notes in related.values():
        if kind == "notesSlide" and notes in package.names:
            spoken = [_paragraphs(s) for s in package.xml(notes).iter(f"{_P}sp") if _placeholder(s) not in _SMALL]
            parts += filter(None, spoken)
    return Page("\n\n".join(parts), number, tuple(headings), f"slide {number}", title)


def _placeholder(shape: Any) -> str:
    found = next(shape.iter(f"{_P}ph"), None)
    return "" if found is None else str(found.get("type") or "body")


def _text(shape: Any, package: Package, related: dict[str, tuple[str, str]]) -> str:
    if shape.tag == f"{_P}pic":
        found = next(shape.iter(f"{_P}cNvPr"), None)
        said = str(found.get("descr") or "").strip() if found is not None else ""
        return f"[{' '.join(said.split())}]" if len(said) > 3 else ""
    if (table := next(shape.iter(f"{_A}tbl"), None)) is not None:
        return "\n".join(_rows(table))
    if (chart := next(shape.iter(f"{_C}chart"), None)) is not None:
        target = related.get(chart.get(f"{_R}id") or "", ("", ""))[1]
        return "\n".join(_chart(package.xml(target))) if target in package.names else ""
    return _paragraphs(shape)


def _paragraphs(shape: Any) -> str:
    lines = ("".join(_runs(each)).strip() for each in shape.iter(f"{_A}p"))
    return "\n".join(filter(None, lines))


def _runs(paragraph: Any) -> Iterator[str]:
    for each in paragraph.iter(f"{_A}t", f"{_A}br"):
        properties = each.getparent().find(f"{_A}rPr") if each.tag == f"{_A}t" else None
        if properties is not None and properties.get("strike") not in (None, "noStrike"):
            continue
        yield "\n" if each.tag == f"{_A}br" else each.text or ""


def _rows(table: Any) -> Iterator[str]:
    above: list[str] = []
    for row in table.iter(f"{_A}tr"):
        cells = []
        for i, cell in enumerate(row.iter(f"{_A}tc")):
            text = " ".join(_paragraphs(cell).split())
            merged = cell.get("vMerge") in ("1", "true") and i < len(above)
            cells.append(above[i] if merged else text)
        above = cells
        if any(cells):
            yield " | ".join(cells)


def _chart(root: Any) -> Iterator[str]:
    """The numbers of a chart as a table, a series a row."""
    series = list(root.iter(f"{_C}ser"))
    names = [_values(each.find(f"{_C}cat")) for each in series]
    if series and names[0]:
        yield " | ".join(["", *names[0]])
    for each in series:
        yield " | ".join([" ".join(_values(each.find(f"{_C}tx"))), *_values(each.find(f"{_C}val"))])


def _values(element: Any | None) -> list[str]:
    return [] if element is None else [(v.text or "").strip() for v in element.iter(f"{_C}v")]
