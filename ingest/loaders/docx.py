"""DOCX: paragraphs, tables, notes and the page's head in their order, headings by outline level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.numbering import Numbering
from ingest.loaders.package import Package
from ingest.loaders.wordml import Runs, outline, qn, value
from rag.types import Heading, Page

HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
PAGE_NUMBER = re.compile(r"\W*(?:page|seite|第)?\W*\d*\W*(?:of|von|/|页|共)?\W*\d*\W*页?\W*", re.IGNORECASE)
P, TBL, TR, TC = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
NESTED = 120
"""Letters of a row's other cells that are said again before each row of a table inside it."""

Line = tuple[str, int | None]


def read(path: Path) -> list[Page]:
    """One page (a DOCX has no pages of its own): a paragraph a line, a table row as "a | b".

    Numbers of lists and clauses stand before their text, notes behind their paragraph, what the page's head and
    foot say once, merged cells in each of their rows. Left out is what Word hides (w:vanish) or has struck out.
    A title (style Title) is level 1 and moves the headings one level down.
    """
    package = Package(path, "docx", "an old .doc file: save it as .docx")
    try:
        return [_Document(package).page()]
    finally:
        package.close()


class _Document:
    """One document while it is read."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.relations = package.relations(package.main)
        self.levels = _levels(self._related("styles"))
        self.numbering = Numbering(self._related("numbering"), self._related("styles"))
        notes = {"footnote": self._notes("footnotes"), "endnote": self._notes("endnotes")}
        self.runs = Runs(
            {key: target for key, (kind, target) in self.relations.items() if kind == "hyperlink"}, notes
        )

    def page(self) -> Page:
        body = self.package.xml(self.package.main).find(qn("w:body"))
        lines = list(self._lines(body)) if body is not None else []
        above, below = self._around(body, "header"), self._around(body, "footer")
        lines = [*((text, None) for text in above), *lines, *((text, None) for text in below)]
        shift = int(any(level == 0 for _, level in lines))
        parts, headings, at = [], [], 0
        for text, level in lines:
            if level is not None:
                headings.append(Heading(at, level + shift, " ".join(text.split())))
            parts.append(text)
            at += len(text) + 1
        return Page("\n".join(parts), headings=tuple(headings), title=self.package.title)

    def _related(self, kind: str) -> Any | None:
        return next((self.package.optional(to) for found, to in self.relations.values() if found == kind), None)

    def _notes(self, kind: str) -> dict[str, Any]:
        root = self._related(kind)
        if root is None and f"word/{kind}.xml" in self.package.names:
            root = self.package.xml(f"word/{kind}.xml")
        return (
            {str(note.get(qn("w:id"))): note for note in root if not note.get(qn("w:type"))}
            if root is not None
            else {}
        )

    def _around(self, body: Any, kind: str) -> list[str]:
        """What the heads (or feet) of the pages say, each line once, page numbers aside."""
        found: dict[str, None] = {}
        for reference in body.iter(qn(f"w:{kind}Reference")) if body is not None else ():
            target = self.relations.get(str(reference.get(qn("r:id"))), ("", ""))[1]
            root = self.package.optional(target)
            for text, _ in self._lines(root) if root is not None else ():
                if not PAGE_NUMBER.fullmatch(text):
                    found[text] = None
        return list(found)

    def _lines(self, body: Any) -> Iterator[Line]:
        """Each paragraph and table row with its heading level, through content controls."""
        stack = [iter(body)]
        while stack:
            child = next(stack[-1], None)
            if child is None:
                stack.pop()
            elif child.tag == P:
                yield from self._paragraph(child)
            elif child.tag == TBL:
                yield from ((row, None) for row in self._rows(child))
            elif child.tag == qn("w:altChunk"):
                yield from self._chunk(child)
            elif isinstance(child.tag, str) and not self.runs.is_gone(child):
                stack.append(iter(child))

    def _paragraph(self, paragraph: Any) -> Iterator[Line]:
        text = self.runs.text(paragraph).strip()
        if text:
            number = self.numbering.label(paragraph)
            yield f"{number} {text}" if number else text, _level(paragraph, self.levels)
        for note in self.runs.take_notes():
            yield note, None

    def _chunk(self, element: Any) -> Iterator[Line]:
        """A part in another format that Word takes in when it opens the file."""
        target = self.relations.get(str(element.get(qn("r:id"))), ("", ""))[1]
        if target.lower().endswith((".htm", ".html", ".xhtml")) and target in self.package.names:
            from ingest.loaders import html

            page = html.page_of(self.package.read(target))
            yield from ((line, None) for line in page.text.split("\n") if line.strip())
        elif target.lower().endswith(".txt") and target in self.package.names:
            from ingest.loaders.text import decode

            yield from ((line, None) for line in decode(self.package.read(target)).split("\n") if line.strip())

    def _rows(self, table: Any) -> Iterator[str]:
        """The rows of a table; what is merged over rows or columns counts for each of them."""
        above: dict[int, str] = {}
        for index, row in enumerate(each for each in table.iter(TR) if _owner(each, TBL) is table):
            cells: list[str] = []
            inner: list[Any] = []
            for cell in (each for each in row.iter(TC) if _owner(each, TR) is row):
                properties = cell.find(qn("w:tcPr"))
                merge = properties.find(qn("w:vMerge")) if properties is not None else None
                span = value(properties, "w:gridSpan") if properties is not None else None
                text = self._cell(cell, inner)
                if merge is not None and merge.get(qn("w:val")) != "restart" and not text:
                    text = above.get(len(cells), "")
                above[len(cells)] = text
                wide = min(int(span), 64) if span and span.isdigit() else 1
                cells += [text, *([text if index < 2 else ""] * (wide - 1))]
            if any(cells):
                yield " | ".join(cells)
            yield from self.runs.take_notes()
            beside = " | ".join(filter(None, cells))
            for nested in inner:
                prefix = f"{beside} | " if beside and len(beside) < NESTED else ""
                yield from (prefix + line for line in self._rows(nested))

    def _cell(self, cell: Any, inner: list[Any]) -> str:
        """The text of a cell; tables in it are put to `inner`."""
        parts = []
        for child in cell.iter(P, TBL):
            if child.tag == TBL:
                if _owner(child, TC) is cell:
                    inner.append(child)
            elif _owner(child, TC) is cell and (text := " ".join(self.runs.text(child).split())):
                number = self.numbering.label(child)
                parts.append(f"{number} {text}" if number else text)
        return " ".join(parts)


def _owner(element: Any, tag: str) -> Any:
    return next(element.iterancestors(tag), None)


def _levels(styles: Any | None) -> dict[str, int]:
    """Style id → heading level (0 for the title); ids are localised, names and outline levels are not."""
    if styles is None:
        return {f"Heading{n}": n for n in range(1, 10)} | {"Title": 0}
    by_id = {style.get(qn("w:styleId")): style for style in styles.iter(qn("w:style"))}
    levels = {}
    for key, style in by_id.items():
        seen: set[str] = set()
        while style is not None and (name := str(style.get(qn("w:styleId")))) not in seen:
            seen.add(name)
            if (level := _level_of_style(style)) is not None:
                levels[key] = level
                break
            style = by_id.get(value(style, "w:basedOn"))  # noqa: PLW2901 - walks up the chain
    return levels


def _level_of_style(style: Any) -> int | None:
    name = value(style, "w:name") or ""
    if name.lower() == "title":
        return 0
    if match := HEADING.match(name):
        return int(match[1])
    return outline(style)


def _level(paragraph: Any, levels: dict[str, int]) -> int | None:
    own = outline(paragraph)
    properties = paragraph.find(qn("w:pPr"))
    style = value(properties, "w:pStyle") if properties is not None else None
    return own if own is not None else levels.get(style or "")
