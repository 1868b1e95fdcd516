"""Tables as text (CSV, TSV): every record one page of `column: value` lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ingest.loaders.text import read_text
from rag.errors import LoadError
from rag.types import Page

DELIMITERS = ",\t;|"
LONGEST_FIELD = 2**31 - 1  # what a C long holds everywhere


def read(path: Path, columns: Sequence[str] = ()) -> Iterator[Page]:
    """One page a record, labelled "row n"; `columns` chooses which columns are read, in that order.

    Row 1 is the first record under the header, so n is what a spreadsheet shows less one (a record over
    several lines counts once, blank lines count). The first line is the header unless a cell of it is a
    number: then the columns are "column 1", "column 2"… and row 1 is that line. A record without
    values has no page. A column that is not there: `LoadError`.
    """
    csv.field_size_limit(LONGEST_FIELD)
    text = read_text(path)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    try:
        yield from _pages(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), columns)
    except csv.Error as error:
        raise LoadError(f"not a readable table: {error}") from error


def _pages(rows: Iterator[list[str]], columns: Sequence[str]) -> Iterator[Page]:
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    headless = any(_is_number(cell) for cell in first)
    names = [] if headless else [cell.strip() for cell in first]
    chosen = _chosen(columns, [_name(names, i) for i in range(len(first))])
    records = [first] if headless else []
    for number, row in enumerate(_chain(records, rows), 1):
        wanted = range(len(row)) if chosen is None else chosen
        pairs = [(_name(names, i), row[i].strip()) for i in wanted if i < len(row)]
        if text := "\n".join(f"{name}: {value}" for name, value in pairs if value):
            yield Page(text, label=f"row {number}")


def _chain(first: list[list[str]], rest: Iterator[list[str]]) -> Iterator[list[str]]:
    yield from first
    yield from rest


def _name(names: Sequence[str], index: int) -> str:
    """A column's name; what has none is called by its number, so that nothing is lost."""
    return (names[index] if index < len(names) else "") or f"column {index + 1}"


def _chosen(columns: Sequence[str], names: Sequence[str]) -> list[int] | None:
    if not columns:
        return None
    if missing := [column for column in columns if column not in names]:
        raise LoadError(f"no column {', '.join(missing)}: the columns are {', '.join(names)}")
    return [names.index(column) for column in columns]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _delimiter(text: str) -> str:
    """The sign that cuts the first records into the most columns of one number; a comma in doubt."""
    return max(DELIMITERS, key=lambda sign: _regularity(text[: 1 << 16], sign))


def _regularity(sample: str, delimiter: str) -> tuple[float, int]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    widths = [len(row) for row in islice(reader, 30) if row]
    if not widths or widths[0] < 2:
        return 0.0, 0
    return round(widths.count(widths[0]) / len(widths), 1), widths[0]
