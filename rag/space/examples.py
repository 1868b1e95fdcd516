"""Labelled examples, from a table, from folders, or from lines that name sources of an index."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from rag.errors import SpaceError
from rag.space.points import Points

__all__ = ["Examples", "read_examples", "read_table"]

_MOST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts and the label of each."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]


def read_examples(path: Path, text: Sequence[str], label: str, points: Points | None = None) -> Examples:
    """The examples at `path`: a CSV file, a folder with a folder for each label, or lines "label: source".

    `text` and `label` name columns of the table; `points` are the index that lines speak of (a source may be a
    glob). Raises SpaceError for what cannot be read, has no such column, or names no source.
    """
    if path.is_dir():
        return _from_folders(path)
    if path.suffix.lower() == ".csv":
        rows = [row for row in read_table(path, [*text, label]) if row[label].strip()]
        return Examples(tuple(join(row, text) for row in rows), tuple(row[label].strip() for row in rows))
    if points is None:
        raise SpaceError(f"{path} names sources, so an index is needed: give --index")
    return _from_lines(path, points)


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with these columns. Raises SpaceError."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SpaceError(f"{path} has more than {_MOST_BYTES // 1_000_000} MB: split it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            names = table.fieldnames or []
            for column in columns:
                if column not in names:
                    raise SpaceError(f"{path} has no column {column!r}: it has {', '.join(map(repr, names[:20]))}")
            return [{name: row.get(name) or "" for name in names} for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise SpaceError(f"the table {path} cannot be read: {exc}") from exc


def join(row: dict[str, str], columns: Sequence[str]) -> str:
    """The text of a row."""
    return "\n".join(row[column] for column in columns if row[column].strip())


def _from_folders(path: Path) -> Examples:
    from ingest.loaders import load
    from rag.errors import LoadError

    found: list[tuple[str, str]] = []
    for file in sorted(path.glob("*/**/*")):
        if not file.is_file():
            continue
        try:
            text = "\n".join(page.text for page in load(file))
        except LoadError as exc:
            raise SpaceError(f"the example {file} cannot be read: {exc}") from exc
        found.append((text, file.relative_to(path).parts[0]))
    return Examples(tuple(text for text, _ in found), tuple(label for _, label in found))


def _from_lines(path: Path, points: Points) -> Examples:
    """One example a source: its passages in order."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise SpaceError(f"the examples {path} cannot be read: {exc}") from exc
    text: defaultdict[str, list[str]] = defaultdict(list)
    for chunk in points.chunks:
        text[chunk.source].append(chunk.text)
    texts, labels = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        label, colon, pattern = (part.strip() for part in line.partition(":"))
        matched = [source for source in text if source == pattern or fnmatchcase(source, pattern)]
        if not colon or not matched:
            raise SpaceError(
                f"{path}, line {number}: {line.strip()!r} is not 'label: source' with a source of the index"
            )
        texts += ["\n".join(text[source]) for source in matched]
        labels += [label] * len(matched)
    return Examples(tuple(texts), tuple(labels))
