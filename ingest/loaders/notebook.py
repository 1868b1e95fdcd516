"""Jupyter notebooks: text cells with the code and the results below them, labelled by cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.loaders.markdown import headings
from ingest.loaders.text import read_text
from rag.errors import LoadError
from rag.types import Page

MOST_OUTPUT = 2_000
"""Letters of a cell's result that are read."""


def read(path: Path) -> Iterator[Page]:
    """A page for each text cell with the code cells that follow it, labelled "cell n" by the first of them."""
    book = json.loads(read_text(path))
    cells = book.get("cells") or [c for sheet in book.get("worksheets", []) for c in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise LoadError("not a readable notebook: it has no cells")
    start, parts, coded = 1, list[str](), False
    for number, cell in enumerate(cells, 1):
        is_code = cell.get("cell_type") == "code"
        if parts and not is_code and coded:
            yield _page(parts, start)
            start, parts, coded = number, [], False
        coded = coded or is_code
        if text := _code(cell) if is_code else _joined(cell.get("source")).strip():
            parts.append(text)
        elif not parts:
            start = number + 1
    if parts:
        yield _page(parts, start)


def _page(parts: list[str], start: int) -> Page:
    text = "\n\n".join(parts)
    return Page(text, headings=headings(text), label=f"cell {start}")


def _code(cell: dict[str, Any]) -> str:
    source = _joined(cell.get("source") or cell.get("input")).strip()
    parts = [f"```\n{source}\n```"] if source else []
    for output in cell.get("outputs") or []:
        data = output.get("data") or {}
        text = _joined(output.get("text") or data.get("text/plain") or data.get("text/markdown")).strip()
        if output.get("output_type") == "error":
            text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        if text:
            parts.append(text[:MOST_OUTPUT])
    return "\n\n".join(parts)


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
