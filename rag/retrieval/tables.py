"""Tables of a document, put together again from the chunks that hold their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rag.retrieval._tuned import MOST_ROWS
from rag.retrieval.passages import Passage
from rag.retrieval.scope import literal
from rag.stores import Store
from rag.text import is_row, split_sentences
from rag.types import Chunk, Vector, Where

__all__ = ["Row", "Table", "is_tabular", "read_tables"]

_RECORD = re.compile(r"(?:^|, )row \d+$")
_FIELD = re.compile(r"^([^:\n]{1,80}): ")
_RULE = re.compile(r"[\s|:-]+")


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its cells by the name of their column, empty ones left out, and where it stands."""

    cells: Mapping[str, str]
    place: Passage


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of one table of `source`; `title` are the headings above it."""

    source: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def is_tabular(chunk: Chunk) -> bool:
    """Whether `chunk` holds rows of a table."""
    return bool(chunk.heading and _RECORD.search(chunk.heading[-1])) or any(
        is_row(line) for line in chunk.text.split("\n")
    )


def read_tables(store: Store, query: Vector, source: str, where: Where | None = None) -> list[Table]:
    """The tables of `source` that `where` lets through; none of a document of more than MOST_ROWS chunks.

    `query` is any vector of the index: all chunks are asked for, whatever their order.
    """
    document = store.documents().get(source)
    if document is None or document.chunks > MOST_ROWS:
        return []
    own = Where(literal(source), pages=where.pages if where else None)
    found = store.dense(query, max(document.chunks, 1), own)
    chunks = sorted(store.chunks([scored.id for scored in found]), key=lambda chunk: chunk.position)
    tables = [_Rows(source, title, list(rows)) for title, rows in groupby(_rows(chunks), key=lambda row: row[0])]
    return [table for each in tables if (table := each.table()) is not None]


_Found = tuple[tuple[str, ...], Row]


@dataclass(frozen=True, slots=True)
class _Rows:
    source: str
    title: tuple[str, ...]
    rows: list[_Found]

    def table(self) -> Table | None:
        """The rows as a table; None of one row, which is no table."""
        rows = [row for _, row in self.rows]
        columns = tuple(dict.fromkeys(name for row in rows for name in row.cells))
        return Table(self.source, " ".join(self.title), columns, tuple(rows)) if len(rows) > 1 else None


def _rows(chunks: Sequence[Chunk]) -> Iterator[_Found]:
    """Every row with the headings above its table."""
    for key, group in groupby(chunks, key=lambda chunk: (chunk.page, chunk.heading)):
        own = list(group)
        if key[1] and _RECORD.search(key[1][-1]):
            yield _record(own)
        else:
            for chunk in own:
                yield from _rows_of_text(chunk)


def _record(chunks: Sequence[Chunk]) -> _Found:
    """A record of `column: value` lines, which a long one has over several chunks."""
    first = chunks[0]
    cells: dict[str, str] = {}
    name = ""
    for line in "\n".join(chunk.text for chunk in chunks).split("\n"):
        if field := _FIELD.match(line):
            name = field[1]
            cells[name] = line[field.end() :].strip()
        elif name:
            cells[name] += f"\n{line}"
    sheet = _RECORD.sub("", first.heading[-1])
    return (*first.heading[:-1], *filter(None, [sheet])), Row(cells, Passage(first, first.start, first.end))


def _rows_of_text(chunk: Chunk) -> Iterator[_Found]:
    """The rows ("a | b") of a text, named by the first of them or by the header among the headings."""
    above = next((title for title in reversed(chunk.heading) if " | " in title), "")
    title = tuple(each for each in chunk.heading if each != above)
    names = _cells(above) if above else []
    for start, end in split_sentences(chunk.text):
        text = chunk.text[start:end]
        if not is_row(text):
            names = _cells(above) if above else []
        elif not names:
            names = _cells(text)
        elif not _RULE.fullmatch(text) and _cells(text) != names:
            cells = {name: cell for name, cell in zip(names, _cells(text), strict=False) if name and cell}
            yield title, Row(cells, Passage(chunk, chunk.start + start, chunk.start + end))


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]
