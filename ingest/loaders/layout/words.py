"""What a page is made of while it is read: words, pieces of lines, lines."""

from __future__ import annotations

from dataclasses import dataclass, field

GAP = 0.9
"""In letters' heights: a wider gap inside a line parts cells or columns (word spaces are about 0.25)."""
WORD = 0.4
"""What is drawn apart and stands no further apart than this is of one line; a gap that stays free over many lines
may be as narrow."""

Span = tuple[float, float]
Corners = tuple[float, float, float, float]
"""x0, y0, x1, y1."""
Placed = tuple[int, int, int, float, float, float, float]
"""Where a word stands in a page's text (start, end) and on which page with which corners."""


@dataclass(slots=True)
class Word:
    """A word, or a run of letters of one width; `glued` to the word before it, without a space."""

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    glued: bool = False


@dataclass(slots=True)
class Piece:
    """Words side by side in one line: a whole line, a line of a column, or a table's cell."""

    words: list[Word]
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def size(self) -> float:
        return self.y1 - self.y0

    @property
    def text(self) -> str:
        return "".join(("" if w.glued or not i else " ") + w.text for i, w in enumerate(self.words))


@dataclass(slots=True)
class Line:
    """A line as it is read: one piece, or the cells of a table's row. `right` is its column's right edge."""

    cells: list[list[Piece]]
    right: float = 0.0
    table: int = 0
    page: int = 0
    level: int = 0
    first: Piece = field(init=False)
    column: bool = False
    narrow: bool = False
    lead: float = 0.0
    _text: str = ""

    def __post_init__(self) -> None:
        self.first = self.cells[0][0] if self.cells[0] else next(cell[0] for cell in self.cells if cell)

    @property
    def height(self) -> float:
        """The height of the letters: that of the middle word, whatever formula stands beside."""
        words = sorted(word.y1 - word.y0 for word in self.first.words)
        return words[len(words) // 2]

    @property
    def text(self) -> str:
        if not self._text:
            self._text = " | ".join(" ".join(piece.text for piece in cell) for cell in self.cells)
        return self._text

    def split(self, at: int) -> tuple[Line, Line]:
        """A line of one piece, cut before its word `at`."""
        piece = self.first
        parts = []
        for words in (piece.words[:at], piece.words[at:]):
            part = Piece(words, words[0].x0, piece.y0, words[-1].x1, piece.y1)
            parts.append(Line([[part]], self.right, 0, self.page))
        return parts[0], parts[1]
