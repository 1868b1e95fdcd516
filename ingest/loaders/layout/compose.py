"""Lines of a page to its text, with the headings in it and the place of every word."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.loaders.layout.words import Line, Piece, Placed
from ingest.loaders.layout.wrapping import between
from rag.types import Heading


def compose(lines: Sequence[Line], flip: float = 0.0) -> tuple[str, tuple[Heading, ...], list[Placed]]:
    """Text, headings and words' places of these lines. `flip` is the width of a page that runs down, else 0."""
    out = _Composer(flip)
    for i, line in enumerate(lines):
        out.add(line, lines[i - 1] if i else None)
    return "".join(out.parts).rstrip("\n"), tuple(out.headings), out.words


class _Composer:
    """The text so far."""

    def __init__(self, flip: float) -> None:
        self.parts: list[str] = []
        self.headings: list[Heading] = []
        self.words: list[Placed] = []
        self.length = 0
        self._flip = flip

    def add(self, line: Line, above: Line | None) -> None:
        gap = between(above, line) if above else ""
        if gap == "-":
            gap = self._without_hyphen()
        joined = above is not None and above.level and above.level == line.level and self._close(above, line)
        self._write(" " if joined else gap)
        at = self.length
        for i, cell in enumerate(line.cells):
            if i:
                self._write(" | ")
            for j, piece in enumerate(cell):
                if j:
                    self._write(" ")
                self._piece(piece, line.page)
        if line.level and joined and self.headings:
            last = self.headings.pop()
            self.headings.append(Heading(last.offset, last.level, f"{last.title} {line.text}"))
        elif line.level:
            self.headings.append(Heading(at, line.level, line.text))

    def _close(self, above: Line, line: Line) -> bool:
        """Are two lines of one heading? Then they stand as near as lines do."""
        gap = line.first.y0 - above.first.y1
        return -0.5 * line.first.size < gap < 0.6 * line.first.size and bool(self.headings)

    def _piece(self, piece: Piece, page: int) -> None:
        for i, word in enumerate(piece.words):
            if i and not word.glued:
                self._write(" ")
            box = (word.x0, piece.y0, word.x1, piece.y1)
            if self._flip:
                box = (self._flip - piece.y1, word.x0, self._flip - piece.y0, word.x1)
            self.words.append((self.length, self.length + len(word.text), page, *box))
            self._write(word.text)

    def _without_hyphen(self) -> str:
        """Take the hyphen at the end away, the next line then goes on in the word."""
        last = self.parts[-1]
        self.parts[-1] = last[:-1]
        self.length -= 1
        start, end, *box = self.words[-1]
        self.words[-1] = (start, end - 1, *box)  # type: ignore[assignment]
        return ""

    def _write(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self.length += len(text)
