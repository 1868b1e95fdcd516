"""Tables inside a page's text (``a | b | c``), and the header that belongs to each of their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.loaders.tables import column_names, find_header

_ROW = re.compile(r"^[ \t]*(?:\|.*\||[^|\n]*(?: \| [^|\n]*)+)[ \t]*$")
_RULE = re.compile(r"[\s|:-]+")
SHORTEST = 3
"""Rows that make a table, its header included."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows between two offsets: `header` names the columns of those from `body` on, "" where nothing does.

    `width` is how many columns it has, `last` whether nothing follows it on the page.
    """

    body: int
    end: int
    header: str
    width: int
    last: bool


def tables(text: str, above: Table | None = None) -> list[Table]:
    """The tables of a page. `above` is the last one of the page before: the first may be its second half."""
    found: list[Table] = []
    for rows in _blocks(text):
        starts, cells = [at for at, _ in rows], [_cells(line) for _, line in rows]
        end = rows[-1][0] + len(rows[-1][1])
        width, last = len(cells[0]), not text[end:].strip()
        first, behind = find_header(cells)
        header = " | ".join(column_names(cells[first:behind], width)) if behind > first else ""
        body = starts[behind] if behind < len(starts) else end
        goes_on = above is not None and above.last and above.width == width and not text[: starts[0]].strip()
        if above is not None and goes_on and header != above.header:
            header, body = above.header, starts[0]
        if goes_on or len(rows) >= SHORTEST:
            found.append(Table(body, end, header, width, last))
        above = None
    return found


def header_at(found: list[Table], at: int) -> str:
    """The header that a row at offset `at` stands under, "" for what is no row below a header."""
    return next((table.header for table in found if table.body <= at < table.end), "")


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    """Rows that follow one another, each with its offset."""
    rows: list[tuple[int, str]] = []
    at = 0
    for line in text.split("\n"):
        if "|" in line and _ROW.match(line):
            rows.append((at, line))
        elif rows:
            yield rows
            rows = []
        at += len(line) + 1
    if rows:
        yield rows


def _cells(line: str) -> list[str]:
    """A row's cells; the rule below a Markdown table's header has none."""
    if _RULE.fullmatch(line):
        return []
    framed = line.strip()
    if framed.startswith("|") and framed.endswith("|"):  # as Markdown draws it
        line = framed[1:-1]
    return [cell.strip() for cell in line.split("|")]
