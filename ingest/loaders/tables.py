"""Rows of cells to records: where the header is, and what each column is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_LOOKED_AT = 50
_YEAR = re.compile(r"(19|20)\d\d")


def find_header(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """The rows ``[first, end)`` that name the columns; ``(n, n)`` where row `n` is the first and none names them.

    A header has most of the table's columns and no number in it, years aside; lines above it are titles.
    """
    sample = rows[:_LOOKED_AT]
    filled = [sum(bool(cell.strip()) for cell in row) for row in sample]
    wide = [count for count in filled if count > 1]
    usual = Counter(wide).most_common(1)[0][0] if wide else 1
    for i, row in enumerate(sample):
        if filled[i] < max(1, min(2, usual), -(-6 * usual // 10)):
            continue
        if not _names(row):
            return i, i
        return i, i + 1 + _is_second(sample, i)
    return 0, 0


def _names(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row if cell.strip()]
    numbers = [cell for cell in cells if is_number(cell)]
    return not numbers or (len(numbers) < len(cells) and all(map(_YEAR.fullmatch, numbers)))


def _is_second(sample: Sequence[Sequence[str]], i: int) -> bool:
    """Does the row below name the parts of columns that share one name (a merged cell, empty in the others)?"""
    if i + 2 >= len(sample):
        return False
    first, second, third = sample[i], sample[i + 1], sample[i + 2]
    gaps = [k for k in range(1, len(first)) if not first[k].strip()]
    named = gaps and all(k < len(second) and second[k].strip() for k in gaps)
    return bool(named) and not any(map(is_number, second)) and any(map(is_number, third))


def column_names(header: Sequence[Sequence[str]], width: int) -> list[str]:
    """What `width` columns are called; an empty cell of a first header row has the name on its left."""
    rows = [[*(cell.strip() for cell in row), *[""] * (width - len(row))] for row in header]
    if len(rows) > 1:
        for k in range(1, width):
            rows[0][k] = rows[0][k] or (rows[0][k - 1] if rows[1][k] else "")
    return [" ".join(dict.fromkeys(filter(None, names))) for names in zip(*rows, strict=False)] if rows else []


def column_name(names: Sequence[str], index: int) -> str:
    """A column's name; what has none is called by its number, so that nothing is lost."""
    return (names[index] if index < len(names) else "") or f"column {index + 1}"


def is_number(cell: str) -> bool:
    """Is this a number, as a table writes it?"""
    try:
        float(cell.strip().strip("%$€£¥").replace(",", "").replace("\xa0", ""))
    except ValueError:
        return False
    return True
