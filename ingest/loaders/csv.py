"""Tables as text (CSV, TSV): every record one page of `column: value` lines."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from ingest.loaders.tables import column_name, column_names, find_header
from ingest.loaders.text import text_of
from rag.errors import LoadError
from rag.types import Page

DELIMITERS = ",\t;|"
LONGEST_FIELD = 2**31 - 1  # what a C long holds everywhere
MOST_LINES = 10_000
"""Lines of one record; a quotation mark that is not closed by then was none."""


def read(path: Path, columns: Sequence[str] = ()) -> Iterator[Page]:
    """One page a record, labelled "row n"; `columns` chooses which columns are read, in that order.

    Row 1 is the first record under the header, so n is what a spreadsheet shows less the lines above (a record
    over several lines counts once, blank lines count). Without a header (`find_header`) the columns are
    "column 1", "column 2"… A record without values has no page. A column that is not there: `LoadError`.
    """
    csv.field_size_limit(LONGEST_FIELD)
    pieces = text_of(path)
    head = next(pieces, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ""
    if stated := re.match(r'"?sep=(.)"?\n', head):  # Excel's way to say it
        delimiter, head = stated[1], head[stated.end() :]
    yield from _pages(_rows(_lines(chain([head], pieces)), delimiter or _delimiter(head)), columns)


def _pages(rows: Iterator[list[str]], columns: Sequence[str]) -> Iterator[Page]:
    head = list(islice(rows, 60))
    first, end = find_header(head)
    names = column_names(head[first:end], max(map(len, head), default=0))
    title = " ".join(cell.strip() for row in head[:first] for cell in row if cell.strip())[:80]
    chosen = _chosen(columns, [column_name(names, i) for i in range(len(head[first]) if head else 0)])
    for number, row in enumerate(chain(head[end:], rows), 1):
        wanted = range(len(row)) if chosen is None else chosen
        pairs = [(column_name(names, i), row[i].strip()) for i in wanted if i < len(row)]
        if text := "\n".join(f"{name}: {value}" for name, value in pairs if value):
            yield Page(text, label=f"row {number}", title=title)
            title = ""


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in pieces."""
    begun: list[str] = []
    for piece in pieces:
        first, *more = piece.split("\n")
        begun.append(first)
        if more:
            yield "".join(begun)
            yield from more[:-1]
            begun = more[-1:]
    yield "".join(begun)


def _rows(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    """The records; a quotation mark that belongs to no quoted field (an inch) is a letter."""
    sign = re.escape(delimiter)
    field = rf'(?:"(?:[^"]|"")*"|(?:[^"{sign}\n][^{sign}\n]*)?)'
    record = re.compile(rf"{field}(?:{sign}{field})*")
    ahead: deque[str] = deque()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if '"' not in line:
            yield line.split(delimiter) if line else []
            continue
        whole, is_open = [line], line.count('"') % 2
        for following in chain(list(ahead), _kept(lines, ahead)) if is_open else ():
            whole.append(following)
            if following.count('"') % 2 or len(whole) > MOST_LINES:
                break
        joined = "\n".join(whole)
        if record.fullmatch(joined):
            for _ in whole[1:]:
                ahead.popleft()
            yield next(csv.reader([joined], delimiter=delimiter))
        else:
            yield line.split(delimiter)


def _kept(lines: Iterator[str], ahead: deque[str]) -> Iterator[str]:
    """Further lines, kept in `ahead` as well."""
    for line in lines:
        ahead.append(line)
        yield line


def _chosen(columns: Sequence[str], names: Sequence[str]) -> list[int] | None:
    if not columns:
        return None
    if missing := [column for column in columns if column not in names]:
        raise LoadError(f"no column {', '.join(missing)}: the columns are {', '.join(names)}")
    return [names.index(column) for column in columns]


def _delimiter(text: str) -> str:
    """The sign that cuts the first records into the most columns of one number; a comma in doubt."""
    return max(DELIMITERS, key=lambda sign: _regularity(text[: 1 << 16], sign))


def _regularity(sample: str, delimiter: str) -> tuple[float, int]:
    widths = [len(row) for row in islice(_rows(iter(sample.split("\n")), delimiter), 30) if row]
    usual = max(set(widths), key=widths.count) if widths else 0
    if usual < 2:
        return 0.0, 0
    return round(widths.count(usual) / len(widths), 1), usual
