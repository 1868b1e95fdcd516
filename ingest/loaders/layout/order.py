"""From words on a page to its lines in reading order, with columns and tables told apart.

Coordinates are points from the page's top left corner, y downwards. Nothing here knows PDF: words may come from
OCR as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ingest.loaders.layout.columns import columns_of, is_prose, run_of_gutters, table_rows
from ingest.loaders.layout.words import GAP, WORD, Line, Piece, Span, Word


def lines_of(words: Sequence[Word], width: float) -> list[Line]:
    """The lines of a page of this width, in reading order."""
    rows = _rows(_pieces(words))
    tables = iter(range(1, 1 << 30))
    found: list[Line] = []
    for line in _arrange(rows, width):
        if line.table:
            line.table = next(tables) if line.table < 0 else found[-1].table
        found.append(line)
    if found:
        left = min(line.first.x0 for line in found)
        gaps = [b.first.y0 - a.first.y1 for a, b in pairwise(found)]
        near = sorted(gap for gap, line in zip(gaps, found, strict=False) if -0.5 < gap / line.first.size < 1.5)
        lead = near[len(near) // 2] if near else 0.0
        for line in found:
            line.lead = lead
            line.narrow = line.narrow or (0 < line.right < 0.6 * width and not line.column)
            line.right = line.right or width - left
    return found


def _pieces(words: Sequence[Word]) -> list[Piece]:
    """Words that follow one another on one line, in the order in which the page draws them."""
    found: list[Piece] = []
    last: Piece | None = None
    for word in words:
        if last:
            size = last.y1 - last.y0
            near = -0.3 * size < word.x0 - last.x1 < GAP * size
            if near and last.y0 == word.y0 and last.y1 == word.y1:
                last.words.append(word)
                last.x1 = word.x1
                continue
            if near and _same_line(last, word):
                last.words.append(word)
                last.x1 = max(last.x1, word.x1)
                last.y0, last.y1 = min(last.y0, word.y0), max(last.y1, word.y1)
                continue
        last = Piece([word], word.x0, word.y0, word.x1, word.y1)
        found.append(last)
    return found


def _same_line(a: Piece, b: Piece | Word) -> bool:
    return min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5 * min(a.y1 - a.y0, b.y1 - b.y0)


def _rows(pieces: list[Piece]) -> list[list[Piece]]:
    """Pieces of one height together, from the top; neighbours without a gap are one piece."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: (p.y0 + p.y1) / 2):
        near = next((row for row in reversed(rows[-3:]) if all(_same_line(p, piece) for p in row[-2:])), None)
        if near is None:
            rows.append([piece])
        else:
            near.append(piece)
    return [_joined(sorted(row, key=lambda p: p.x0)) for row in rows]


def _joined(row: list[Piece]) -> list[Piece]:
    found = [row[0]]
    spaces = [b.x0 - a.x1 for piece in row for a, b in pairwise(piece.words) if not b.glued]
    wide = 2 * median(spaces) if len(spaces) > 3 else 0.0  # a justified line has wide spaces throughout
    for piece in row[1:]:
        last = found[-1]
        if -0.3 * last.size < piece.x0 - last.x1 < max(WORD * min(last.size, piece.size), wide):
            last.words += piece.words
            last.x1, last.y0 = max(last.x1, piece.x1), min(last.y0, piece.y0)
            last.y1 = max(last.y1, piece.y1)
        else:
            found.append(piece)
    return found


def _arrange(rows: list[list[Piece]], width: float, depth: int = 0) -> list[Line]:
    """Lines of these rows in reading order; a new table is marked -1, its further rows 1."""
    found: list[Line] = []
    right = max(row[-1].x1 for row in rows) if depth else _right(rows)
    i = 0
    while i < len(rows):
        end, gutters = run_of_gutters(rows, i)
        if not gutters:
            found.append(Line(_apart(rows[i]), right, column=depth > 0))
            i += 1
            continue
        columns = columns_of(rows[i:end], gutters)
        if depth < 3 and is_prose(columns, end - i):
            while found and not found[-1].table and _above(found[-1], rows[i], gutters):
                columns[0].insert(0, [found.pop().first])
            for column in columns:
                found += _arrange(column, width, depth + 1)
        else:
            found += table_rows(rows[i:end], gutters, right)
        i = end
    return found


def _apart(row: list[Piece]) -> list[list[Piece]]:
    """The cells of a row that stands alone: only wide gaps part them."""
    cells = [[row[0]]]
    for before, piece in pairwise(row):
        if piece.x0 - before.x1 < 2.5 * piece.size:
            cells[-1].append(piece)
        else:
            cells.append([piece])
    return cells


def _right(rows: list[list[Piece]]) -> float:
    """Where the lines of a page end, if several end in one place; 0 where each ends elsewhere."""
    ends = sorted((row[-1].x1 for row in rows), reverse=True)
    size = median(piece.size for row in rows for piece in row) if rows else 0.0
    full = sum(end > ends[0] - 1.5 * size for end in ends) if ends else 0
    return ends[0] if full >= max(2, len(ends) // 4) else 0.0


def _above(line: Line, row: list[Piece], gutters: list[Span]) -> bool:
    """Is a line that stands over columns the beginning of the first one?"""
    piece = line.first
    near = 0 < row[0].y0 - piece.y1 < 1.5 * piece.size
    return near and len(line.cells) == 1 and piece.x1 <= gutters[0][0] and piece.x1 - piece.x0 > 12 * piece.size
