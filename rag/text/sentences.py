"""A text to its sentences."""

from __future__ import annotations

import re

# A sentence ends at 。！？ wherever it stands but in a title (《…》), at . ! ? before a space and a capital, at an
# empty line and before a list item, heading or table row; a single line break is only where a line was wrapped. A
# row of a table ("a | b") is one, whatever stands in its cells.
_SENTENCE_END = re.compile(
    r"(?m:^)(?=[^\n]* \| )[^\n]*\n|\n(?=[^\n]* \| )"
    r"|(?<=[。！？])(?![^《》\n]{0,40}》)[”’」』）)\"]*\s*"
    r"|(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(\[]?[^\W_a-z])"
    r"|\n\s*\n\s*|\n(?=\s*(?:[-*+•#|>]|\d+[.)、]))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|Nos|Fig|vs|etc|e\.g|i\.e|cf|ca|approx)|(?<![A-Za-z\d])[A-Z]|^\W*\d{1,3})\.$"
)
_TAIL = 12  # characters: longer than any abbreviation, so that a run of them takes linear time


def is_row(text: str) -> bool:
    """Whether `text`, a sentence, is a row of a table: "a | b", or as Markdown draws it."""
    return text.startswith("|") or (" | " in text and "\n" not in text)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """The half-open spans of the sentences of `text`, in order, white space around them left out."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        piece = text[start:end]
        if piece.strip() and (end == len(text) or not _ABBREVIATION.search(piece.rstrip()[-_TAIL:])):
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, start + len(piece.rstrip())))
            start = end
    return spans
