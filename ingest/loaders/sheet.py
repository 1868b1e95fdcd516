"""Workbooks (XLSX, XLS, XLSB, ODS) through calamine: every row one page, labelled by sheet and row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
    ZipError,
)

from ingest.loaders.package import Package
from ingest.loaders.tables import column_name, column_names, find_header
from rag.errors import LoadError, Skip
from rag.types import Page

logger = logging.getLogger(__name__)

MOST_ROWS, MOST_COLUMNS = 1_048_576, 2_000


def read(path: Path) -> Iterator[Page]:
    """A page a row of `column: value` lines, labelled "sheet, row n" with n as the program shows it.

    Lines above the header are its title. Formulas are read as their last values; hidden sheets are read and named
    so; macros are not looked at.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods"):
        Package(path, "workbook").close()  # within limits, and no other format under this name
    try:
        book = CalamineWorkbook.from_path(path)
    except PasswordError as error:
        raise Skip("encrypted") from error
    except (CalamineError, ZipError) as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise Skip("encrypted") from error
        raise LoadError(f"not a readable workbook: {error}") from error
    try:
        for each in book.sheets_metadata:
            hidden = each.visible != SheetVisibleEnum.Visible
            try:
                sheet = book.get_sheet_by_name(each.name)
            except CalamineError:
                continue  # a sheet of charts
            yield from _pages(sheet, f"{each.name} (hidden)" if hidden else each.name)
    finally:
        book.close()


def _pages(sheet: CalamineSheet, name: str) -> Iterator[Page]:
    if sheet.total_width > MOST_COLUMNS or sheet.total_height > MOST_ROWS:
        raise Skip(f"too large: a sheet of {sheet.total_height} rows and {sheet.total_width} columns")
    above = sheet.start[0] if sheet.start else 0  # calamine begins where something stands, or at the top
    rows = ([_shown(cell) for cell in row] for row in sheet.iter_rows())
    head = list(islice(rows, 60))
    if head and above and not any(head[0]):
        above = 0
    first, end = find_header(head)
    names = column_names(head[first:end], max(map(len, head), default=0))
    title = " ".join(cell for row in head[:first] for cell in row if cell)[:200]
    if title:
        yield Page(title, label=f"{name}, row 1")
    for number, row in enumerate(chain(head[end:], rows), above + end + 1):
        pairs = [(column_name(names, i), cell) for i, cell in enumerate(row) if cell]
        if pairs:
            yield Page("\n".join(f"{key}: {cell}" for key, cell in pairs), label=f"{name}, row {number}")


def _shown(cell: Any) -> str:
    """A cell as a person reads it."""
    match cell:
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case float():
            return f"{cell:.10g}"
        case datetime():
            return str(cell.date() if cell.time() == time() else cell)
        case date() | time() | timedelta():
            return str(cell)
        case _:
            return " ".join(str(cell).split())
