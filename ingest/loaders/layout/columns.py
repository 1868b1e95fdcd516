"""Gaps that run down a page: the gutters between columns of text, or between the cells of a table."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from math import inf
from statistics import median

from ingest.loaders.layout.words import WORD, Line, Piece, Span

FAR = 3.0
"""Lines further apart than this many heights are no longer of one table or of one set of columns."""
MOST_COLUMNS = 4


def _free(row: list[Piece], inside: bool = False) -> list[Span]:
    """What a row leaves free; `inside`: its wider spaces between words as well."""
    edges = [-inf]
    for piece in row:
        edges += [piece.x0, *(edge for gap in _spaces(piece) for edge in gap)] if inside else [piece.x0]
        edges.append(piece.x1)
    edges.append(inf)
    return list(zip(edges[::2], edges[1::2], strict=True))


def _spaces(piece: Piece) -> list[Span]:
    return [(a.x1, b.x0) for a, b in pairwise(piece.words) if b.x0 - a.x1 > WORD * piece.size]


def _common(a: list[Span], b: list[Span], least: float) -> list[Span]:
    return [(max(p[0], q[0]), min(p[1], q[1])) for p in a for q in b if min(p[1], q[1]) - max(p[0], q[0]) >= least]


def run_of_gutters(rows: list[list[Piece]], start: int) -> tuple[int, list[Span]]:
    """How far the rows from `start` leave the same gaps free, and those between content; none: a line alone."""
    if len(rows[start]) < 2:
        return start + 1, []
    size = median(piece.size for piece in rows[start])
    free, many, end, found = _free(rows[start]), 1, start + 1, _inner(_free(rows[start]))
    for i in range(start + 1, len(rows)):
        row = rows[i]
        if row[0].y0 - max(piece.y1 for piece in rows[i - 1]) > FAR * size:
            break
        common = _common(free, _free(row, True), WORD * size)
        inner = _inner(common)
        # A table of other columns, or a line of text below this one.
        another = many > 1 and len(inner) < len(found) and (len(row) == 1 or len(row) > len(inner) + 1)
        if not inner or another or len(row) > len(inner) + 2:
            break
        free, found, end = common, inner, i + 1
        many += len(row) > 1
    if many == 1:
        return _aligned(rows, start)
    while (
        end > start + 1
        and len(rows[end - 1]) < 2
        and rows[end - 1][0].x0 <= rows[start][0].x0 + 1
        and (is_prose(columns_of(rows[start:end], found), end - start) is False)
    ):
        end -= 1  # what stands below a table, at the left margin, is text
    return end, found


def _aligned(rows: list[list[Piece]], start: int) -> tuple[int, list[Span]]:
    """The same for columns so near to one another that only where their lines begin tells them apart."""
    begins = [piece.x0 for piece in rows[start][1:]]
    end = start + 1
    for row in rows[start + 1 :]:
        words = {round(word.x0 * 2) for piece in row for word in piece.words}
        kept = [x for x in begins if not words.isdisjoint((round(x * 2) - 1, round(x * 2), round(x * 2) + 1))]
        if not kept:
            break
        begins, end = kept, end + 1
    return (end, [(x - 0.5, x - 0.5) for x in begins]) if end - start > 2 else (start + 1, [])


def _inner(spans: list[Span]) -> list[Span]:
    return [span for span in spans if span[0] > -inf and span[1] < inf]


def columns_of(rows: list[list[Piece]], gutters: list[Span]) -> list[list[list[Piece]]]:
    """For each column its rows, without the empty ones."""
    columns: list[list[list[Piece]]] = [[] for _ in range(len(gutters) + 1)]
    for row in rows:
        parts = _parts(row, gutters)
        for column, part in zip(columns, parts, strict=True):
            if part:
                column.append(part)
    return columns


def _parts(row: list[Piece], gutters: list[Span]) -> list[list[Piece]]:
    """The row's pieces by column, cut where a gutter runs through one."""
    parts: list[list[Piece]] = [[] for _ in range(len(gutters) + 1)]
    for piece in row:
        column = sum(piece.x0 >= span[1] - 0.01 for span in gutters)
        start = 0
        for i, (before, word) in enumerate(pairwise(piece.words), 1):
            if (
                column < len(gutters)
                and before.x1 <= gutters[column][0] + 0.6
                and word.x0 >= gutters[column][1] - 0.6
            ):
                _put(parts[column], piece, start, i)
                start, column = i, sum(word.x0 >= span[1] - 0.6 for span in gutters)
        _put(parts[column], piece, start, len(piece.words))
    return parts


def _put(cell: list[Piece], piece: Piece, start: int, end: int) -> None:
    words = piece.words[start:end]
    whole = len(words) == len(piece.words)
    cell.append(piece if whole else Piece(words, words[0].x0, piece.y0, words[-1].x1, piece.y1))


def is_prose(columns: list[list[list[Piece]]], rows: int) -> bool:
    """Do these columns hold running text (whose lines fill them), and not the cells of a table?"""
    if len(columns) > MOST_COLUMNS or rows < 3 or min(map(len, columns)) < 3:
        return False
    shares = []
    for column in columns:
        size = median(piece.size for row in column for piece in row)
        right, left = max(row[-1].x1 for row in column), min(row[0].x0 for row in column)
        if right - left < 8 * size or sum(row[-1].x1 - row[0].x0 for row in column) < 6 * size * len(column):
            return False
        letters = Counter(
            char.isdigit() for row in column for piece in row for w in piece.words for char in w.text
        )
        if letters[True] > letters[False]:
            return False
        full = sum(row[-1].x1 > right - 0.25 * (right - left) for row in column)
        shares.append(full / len(column))
    return min(shares) >= 0.5


def table_rows(rows: list[list[Piece]], gutters: list[Span], right: float) -> list[Line]:
    """The rows of a table as lines, cells of several lines joined where rows stand further apart than lines."""
    cells = [_parts(row, gutters) for row in rows]
    gaps = [min(piece.y0 for piece in below) - max(piece.y1 for piece in above) for above, below in pairwise(rows)]
    size = median(piece.size for row in rows for piece in row)
    near = min(gaps, default=0.0)
    wrapped = max(gaps, default=0.0) - near > 0.5 * size
    merged = [cells[0]]
    for parts, gap in zip(cells[1:], gaps, strict=True):
        if wrapped and gap < near + 0.25 * size and not parts[0]:
            merged[-1] = [a + b for a, b in zip(merged[-1], parts, strict=True)]
        else:
            merged.append(parts)
    return [Line(parts, right, -1 if i == 0 else 1) for i, parts in enumerate(merged)]
