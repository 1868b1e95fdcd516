"""Gaps that run down a page: the gutters between columns of text, or between the cells of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import median, median_low

from ingest.loaders.layout.words import WORD, Line, Piece, Span

FAR = 3.0
"""Lines further apart than this many heights are no longer of one table or of one set of columns."""
MOST_COLUMNS = 4
HEADING = 1.12
"""A line alone that is this many times as high as a table's rows stands over another one."""


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
    end, found = _text_columns(rows, start)
    if is_prose(columns_of(rows[start:end], found), end - start):
        return end, found
    return _table(rows, start)


def _text_columns(rows: list[list[Piece]], start: int) -> tuple[int, list[Span]]:
    """The same where it may be text in columns, with figures in them that have gaps of their own."""
    size = median(piece.size for piece in rows[start])
    free, end, found = _free(rows[start]), start + 1, _inner(_free(rows[start]))
    for i in range(start + 1, len(rows)):
        row = rows[i]
        common = _common(free, _free(row, True), WORD * size)
        inner = _inner(common)
        below = len(row) == 1 and row[0].x0 <= rows[start][0].x0 + 1  # a line of text below a table
        another = end > start + 1 and len(inner) < len(found) and (below or len(row) > len(inner) + 1)
        if not _is_near(rows, i, size) or not inner or another or len(row) > len(inner) + 2:
            break
        free, found, end = common, inner, i + 1
    return end, found


def _table(rows: list[list[Piece]], start: int) -> tuple[int, list[Span]]:
    """The same for a table: cells over several columns, titles and narrow gaps between the names of columns."""
    run = _run_from(rows[start])
    many, end = 1, start + 1
    for i in range(start + 1, len(rows)):
        row = rows[i]
        if not _follows(rows, i, run.size):
            break
        found, inner = len(run.gutters()), len(run.gutters(row))
        if inner < found and _spans(rows, start, i, run):
            end, many = i + 1, many + (len(row) > 1)
            continue
        alone = inner < found and len(row) < 2  # a title or a paragraph, which crosses what was free
        another = inner < found and len(row) > inner + 1  # a table of other columns
        if not inner or alone or (many > 1 and another) or len(row) > inner + 1 + (many > 1):
            break
        run = run.with_row(row)
        end, many = i + 1, many + (len(row) > 1)
    if many == 1:
        return _aligned(rows, start)
    found_gutters = _parted_further(rows[start:end], run)
    while (
        end > start + 1
        and len(rows[end - 1]) < 2
        and rows[end - 1][0].x0 <= rows[start][0].x0 + 1
        and (is_prose(columns_of(rows[start:end], found_gutters), end - start) is False)
    ):
        end -= 1  # what stands below a table, at the left margin, is text
    return end, found_gutters


@dataclass(slots=True)
class _Run:
    """What the rows so far leave free; where their pieces stand apart, and their words only."""

    size: float
    free: list[Span]
    apart: list[Span]
    spaces: list[Span]

    def gutters(self, row: list[Piece] | None = None) -> list[Span]:
        """What stays free between content, with `row` too, and is no space between words in most rows."""
        run = self.with_row(row) if row else self
        return [span for span in _inner(run.free) if _covering(span, run.spaces) <= _covering(span, run.apart)]

    def with_row(self, row: list[Piece]) -> _Run:
        free = _common(self.free, _free(row, True), WORD * self.size)
        return _Run(self.size, free, self.apart + _between(row), self.spaces + _wider_spaces(row))


def _run_from(row: list[Piece]) -> _Run:
    return _Run(median(piece.size for piece in row), _free(row, True), _between(row), _wider_spaces(row))


def _covering(span: Span, gaps: list[Span]) -> int:
    return sum(a <= span[0] + 1 and span[1] <= b + 1 for a, b in gaps)


def _between(row: list[Piece]) -> list[Span]:
    return [(a.x1, b.x0) for a, b in pairwise(row)]


def _wider_spaces(row: list[Piece]) -> list[Span]:
    return [gap for piece in row for gap in _spaces(piece)]


def _follows(rows: list[list[Piece]], i: int, size: float) -> bool:
    """Does row `i` stand near enough to the one above to be of its table, and is no heading?"""
    larger = rows[i][0].size > HEADING * max(piece.size for piece in rows[i - 1])
    return _is_near(rows, i, size) and not (len(rows[i]) == 1 and larger)


def _is_near(rows: list[list[Piece]], i: int, size: float) -> bool:
    return rows[i][0].y0 - max(piece.y1 for piece in rows[i - 1]) <= FAR * size


def _spans(rows: list[list[Piece]], start: int, i: int, run: _Run) -> bool:
    """Has row `i` a cell over several columns? The row below it then leaves free what those above do."""
    if len(run.gutters()) < 2 or i + 1 == len(rows) or len(rows[i + 1]) < 2 or not _follows(rows, i + 1, run.size):
        return False
    begins = [piece.x0 for row in rows[start:i] for piece in row]
    aligned = len(rows[i]) > 1 or any(abs(x - rows[i][0].x0) < 1 for x in begins)
    return aligned and len(run.gutters(rows[i + 1])) >= len(run.gutters())


def _parted_further(rows: list[list[Piece]], run: _Run) -> list[Span]:
    """The run's gutters, and those that only a minority of the rows crosses (with a cell over two columns)."""
    found = run.gutters()
    for column in columns_of(rows, found):
        apart = [[(a.x1, b.x0) for a, b in pairwise(row)] for row in column if len(row) > 1]
        if len(apart) > max(1, len(column) // 2):
            common = apart[0]
            for gaps in apart[1:]:
                common = _common(common, gaps, WORD * run.size)
            found = sorted([*found, *common])
    return found


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
    usual = median_low(
        [gap for parts, gap in zip(cells[1:], gaps, strict=True) if parts[0]] or [max(gaps, default=0)]
    )
    merged = [cells[0]]
    for parts, gap in zip(cells[1:], gaps, strict=True):
        if usual > near + 0.3 * size and gap < (near + usual) / 2 and not parts[0]:
            merged[-1] = [a + b for a, b in zip(merged[-1], parts, strict=True)]
        else:
            merged.append(parts)
    return [Line(parts, right, -1 if i == 0 else 1) for i, parts in enumerate(merged)]
