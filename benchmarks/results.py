"""What was measured, one row a process, kept in one JSON file that is written after every row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, Any]
KEY = ("work", "engine", "phase", "run")


@dataclass(slots=True)
class Results:
    """`facts` of machine and versions, and `rows`; the last row with one key counts."""

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Results:
        """What is in `path`, or nothing."""
        if not path.exists():
            return cls(path)
        kept = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, kept["facts"], kept["rows"])

    def has(self, *key: Any) -> bool:
        """Whether this was measured; what failed is measured again."""
        return any(_key(row) == key and "error" not in row for row in self.rows)

    def add(self, row: Row) -> None:
        """Keep `row` in place of one with its key, and write the file."""
        self.rows = [old for old in self.rows if _key(old) != _key(row)] + [row]
        self.write()

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".unfinished")
        text = json.dumps({"facts": self.facts, "rows": self.rows}, indent=1, ensure_ascii=False)
        unfinished.write_text(text + "\n", encoding="utf-8")
        unfinished.replace(self.path)

    def drop(self, works: Iterable[str], engines: Iterable[str]) -> None:
        """Forget what was measured of these engines at these works."""
        works, engines = set(works), set(engines)
        self.rows = [row for row in self.rows if row["work"] not in works or row["engine"] not in engines]

    def values(self, work: str, engine: str, phase: str, name: str) -> list[float]:
        """The figures called `name`, one for each run."""
        return [
            row[name]
            for row in self.rows
            if (row["work"], row["engine"], row["phase"]) == (work, engine, phase) and name in row
        ]

    def errors(self) -> Iterator[Row]:
        return (row for row in self.rows if "error" in row)


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEY)


def percentile(values: Iterable[float], share: float) -> float:
    """The value below or at which `share` of `values` lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


@dataclass(frozen=True, slots=True)
class Figure:
    """A median with its extremes."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Figure | None:
        return cls(median(values), min(values), max(values)) if values else None
