"""What a question asks of a table: which rows, which columns, which operation; whether all is understood."""

from __future__ import annotations

import re
import tomllib
from calendar import month_name
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import eq, ge, gt, le, lt
from pathlib import Path, PurePosixPath

from rag.answering._tuned import MOST_NAMED, MOSTLY
from rag.retrieval.tables import Row, Table
from rag.text import CJK, content_terms, normalise, split_terms, stem, write_digits
from rag.text.values import find_months, find_values

__all__ = ["AskedOfTable", "date_of", "is_computed", "number_of", "plain_words"]


def is_computed(question: str) -> bool:
    """Whether `question` has a word that asks for a computation, and none that denies something.

    Of "not" and "without" a reader must tell which rows are meant.
    """
    plain = plain_words(question)
    asks = any(pattern.search(plain) for pattern in _patterns("operation").values())
    return asks and not _patterns("words")["denial"].search(plain)


_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le, "=": eq}


@cache
def _known() -> dict[str, dict[str, list[str]]]:
    known: dict[str, dict[str, list[str]]] = tomllib.loads(
        Path(__file__).with_name("rows.toml").read_text(encoding="utf-8")
    )
    return known


@cache
def _patterns(group: str) -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(rows)) for name, rows in _known()[group].items()}


def plain_words(question: str) -> str:
    return write_digits(normalise(question)).lower()


_NUMBER = re.compile(r"(?:[$¥€£]|[A-Z]{3} )?\s*(-?\d[\d,]*(?:\.\d+)?)\s*[^\d\s]{0,12}")


def number_of(cell: str) -> float | None:
    """The number that a cell is, with or without a currency or a unit; None of anything else."""
    match = _NUMBER.fullmatch(normalise(cell).strip())
    return float(match[1].replace(",", "")) if match else None


def date_of(cell: str) -> float | None:
    values = find_values(cell)
    return values[0].amount if len(cell) <= 24 and values and values[0].unit == "date" else None


def _share(cells: Sequence[str], read: Callable[[str], float | None]) -> float:
    return sum(read(cell) is not None for cell in cells) / max(len(cells), 1)


@dataclass(slots=True)
class AskedOfTable:
    """What a question asks of a table. `left` is the question without the words that have been understood."""

    left: str
    table: Table
    language: str
    rows: list[Row] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)
    implied: str = ""
    group: bool = False
    most: int = 1
    matched: bool = False

    @property
    def understood(self) -> bool:
        words = {stem(term) for term in content_terms(self.left) if not re.match(rf"[{CJK}]", term)}
        return self.matched and not words and not re.search(rf"[{CJK}]", self.left)

    def read(self) -> None:
        self.rows = list(self.table.rows)
        self._title(whole=True)
        self._values()
        self._comparisons()
        self._named_columns()
        self._operation()
        self._dates()
        self._title(whole=False)
        for name in ("group", "frame"):
            found = self._take(_patterns("words")[name])
            self.group |= name == "group" and found

    def of(self, column: str) -> list[str]:
        return [row.cells[column] for row in self.rows if column in row.cells]

    def is_numeric(self, column: str) -> bool:
        return _share(self.of(column), number_of) >= MOSTLY

    def is_date(self, column: str) -> bool:
        return _share(self.of(column), date_of) >= MOSTLY

    def _take(self, pattern: re.Pattern[str]) -> bool:
        self.left, n = pattern.subn(" ; ", self.left)
        return n > 0

    def _values(self) -> None:
        """Rows whose cell has a value that the question names."""
        named: dict[str, list[str]] = {}
        known = [(cell, name) for name in self.table.columns for cell in dict.fromkeys(self.of(name))]
        for cell, name in sorted(known, key=lambda pair: -len(pair[0])):
            told = plain_words(cell)
            if len(told) < 2 or len(told) > 60 or number_of(told) is not None:
                continue
            if self._take(re.compile(_whole(told))):
                named.setdefault(name, []).append(cell)
        for name, cells in named.items():
            self.rows = [row for row in self.rows if row.cells.get(name) in cells]
            self.conditions.append(f"{name}: {' / '.join(cells)}")
        self.matched |= bool(named)

    def _comparisons(self) -> None:
        """Rows whose number is the one that the question gives, or above or below it."""
        signs = {word: sign for sign, words in _known()["comparison"].items() for word in words}
        than = "|".join(sorted(map(re.escape, signs), key=len, reverse=True))
        for name in self.table.columns:
            called = _called(name)
            between = r"\s*(?:is|are|of|=|:|为|是|等于|在)?\s*"
            pattern = re.compile(
                rf"(?:{called}){between}(?P<sign>{than})?\s*(?P<n>\d+(?:\.\d+)?)(?!\d|月|年)"
                rf"|(?P<sign2>{than})\s*(?P<n2>\d+(?:\.\d+)?)\s*(?:{called})"
            )
            match = pattern.search(self.left)
            if match is None or not self.is_numeric(name):
                continue
            told, number = match["sign"] or match["sign2"], float(match["n"] or match["n2"])
            sign = signs[told] if told else "="
            holds = _OPERATORS[sign]
            self.rows = [
                row
                for row in self.rows
                if (n := number_of(row.cells.get(name, ""))) is not None and holds(n, number)
            ]
            self.conditions.append(f"{name} {sign} {number:g}")
            self.left = f"{self.left[: match.start()]} ; {self.left[match.end() :]}"
            self.matched = True

    def _named_columns(self) -> None:
        names = sorted(self.table.columns, key=len, reverse=True)
        for pattern in (_called, _in_part):
            for name in names:
                if name not in self.columns and self._take(re.compile(pattern(name))):
                    self.columns.append(name)
                    self.matched = True

    def _operation(self) -> None:
        for column, pattern in _patterns("implied").items():
            if pattern.search(self.left):
                self.implied = column
        for name, pattern in _patterns("operation").items():
            for match in pattern.finditer(self.left):
                self.operations.add(name)
                if many := re.search(r"\d+", match[0]):
                    self.most = min(int(many[0]), MOST_NAMED)
            self._take(pattern)

    def _dates(self) -> None:
        """Rows of the months and years that the question names."""
        months = find_months(self.left) | {int(month) for month in re.findall(r"(\d{1,2})月", self.left)}
        years = {int(year) for year in _YEARS.findall(self.left)}
        dated = [name for name in self.table.columns if self.is_date(name)]
        if not (months or years) or len(dated) != 1:
            return
        self.rows = [row for row in self.rows if _falls(row.cells.get(dated[0], ""), months, years)]
        named = [f"{month}月" if self.language == "zh" else month_name[month] for month in sorted(months)]
        self.conditions.append(f"{dated[0]}: {' '.join([*named, *map(str, sorted(years))])}")
        self.columns = [name for name in self.columns if name != dated[0]]
        self._take(re.compile(rf"{_YEARS.pattern}年?"))
        self._take(_patterns("words")["month"])
        self.matched = True

    def _title(self, whole: bool) -> None:
        """The words of the table's title and of its file's name that the question has: all of one, or any."""
        file = PurePosixPath(self.table.source)
        names = [file.name, file.stem, self.table.title]
        if whole:
            for name in names:
                if len(name) > 1 and self._take(re.compile(_whole(plain_words(name)))):
                    self.matched = True
            return
        terms = {stem(term) for name in names for term in split_terms(name.replace("_", " ")) if len(term) > 1}
        for word in sorted(re.findall(rf"[^\W\d_{CJK}]+", self.left), key=len, reverse=True):
            if stem(word) in terms and self._take(re.compile(_whole(word))):
                self.matched = True
        for pair in sorted(term for term in terms if re.match(rf"[{CJK}]", term)):
            self.matched |= self._take(re.compile(pair))


def _whole(words: str) -> str:
    """A pattern of `words` that cuts no Latin word or number in two."""
    return rf"(?<![a-z0-9]){re.escape(words)}(?![a-z0-9])"


def _called(column: str) -> str:
    """A pattern of how a question may call a column: by its name, one or many."""
    words = plain_words(column).replace("_", " ")
    return rf"(?<![a-z0-9]){re.escape(words)}(?:e?s)?(?![a-z0-9])"


_YEARS = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def _in_part(column: str) -> str:
    """A pattern of how a question may call a Chinese column in short: 入库 or 日期 of 入库日期; else nothing."""
    words = plain_words(column)
    return f"{words[:2]}|{words[-2:]}" if re.fullmatch(rf"[{CJK}]{{3,6}}", words) else r"(?!)"


def _falls(cell: str, months: set[int], years: set[int]) -> bool:
    own = {int(year) for year in _YEARS.findall(cell)}
    return (not months or bool(find_months(cell) & months)) and (not years or bool(own & years))
