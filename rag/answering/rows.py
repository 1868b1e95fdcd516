"""How many, how much in all, on average, the greatest: computed over the rows of a table, not by the model.

A question is computed only where every word of it is understood: as an operation, a column, a value in the rows,
or a word of the table's title. What is left over may change what is asked, and then nothing is computed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import fmean
from typing import TypeVar

from rag.answering._tuned import MOST_CITED, MOST_NAMED, MOST_SHOWN
from rag.answering.rows_asked import AskedOfTable, date_of, is_computed, number_of, plain_words
from rag.retrieval.passages import Passage
from rag.retrieval.tables import Row, Table
from rag.types import Hit

__all__ = ["Computed", "compute"]


@dataclass(frozen=True, slots=True)
class Computed:
    """A sentence, the value in it, and the rows that it was computed over or that it names."""

    text: str
    value: str
    places: tuple[Passage, ...]

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The rows as hits: not by their likeness were they found."""
        return tuple(Hit(i, 1.0, place.chunk) for i, place in enumerate(self.places, start=1))


def compute(question: str, tables: Iterable[Table], language: str) -> Computed | None:
    """The answer over the first of `tables` for which every word of `question` is understood; else None."""
    if not is_computed(question):
        return None
    for table in tables:
        asked = AskedOfTable(plain_words(question), table, language)
        asked.read()
        if asked.understood and (found := _answer(asked)):
            return found
    return None


def _answer(asked: AskedOfTable) -> Computed | None:
    """What `asked` comes to; None where no column says what is to be computed."""
    numeric = [name for name in asked.columns if asked.is_numeric(name)]
    other = [name for name in asked.columns if name not in numeric]
    extreme = next((each for each in ("max", "min") if each in asked.operations), "")
    pooled = next((each for each in ("mean", "sum") if each in asked.operations), "")
    if pooled and not numeric and "count" not in asked.operations:
        measures = [name for name in asked.table.columns if asked.is_numeric(name)]
        numeric = measures if len(measures) == 1 else []
    if pooled and numeric:
        return _pooled(asked, pooled, numeric[0], other, extreme)
    if extreme:
        implied = [n for n in asked.table.columns if asked.implied and re.search(asked.implied, plain_words(n))]
        measured = next((n for n in [*numeric, *implied] if asked.is_numeric(n) or asked.is_date(n)), None)
        if measured is not None:
            return _extreme(asked, extreme, measured)
        return _counted(asked, other[0], extreme) if len(other) == 1 else None
    if "count" not in asked.operations:
        return None
    if len(other) == 1 and not numeric:
        return _counted(asked, other[0], "")
    return _count(asked) if not asked.columns else None


_CALLED = {
    "en": {
        "mean": "average {}",
        "sum": "sum of {}",
        "max": "Greatest {}",
        "min": "Least {}",
        "rows": "number of rows",
    },
    "zh": {"mean": "{}平均值", "sum": "{}合计", "max": "{}最大的", "min": "{}最小的", "rows": "行数"},
}


def _pooled(
    asked: AskedOfTable, operation: str, column: str, other: Sequence[str], extreme: str
) -> Computed | None:
    """The average or the sum of a column: over all rows, or of each value of another column."""
    pool: Callable[[Sequence[float]], float] = fmean if operation == "mean" else sum
    what = _CALLED[asked.language][operation].format(column)
    if len(other) == 1 and (asked.group or extreme):
        groups: dict[str, list[float]] = {}
        for row in asked.rows:
            if other[0] in row.cells and (number := _of(row, column)) is not None:
                groups.setdefault(row.cells[other[0]], []).append(number)
        return _of_each(asked, {value: pool(numbers) for value, numbers in groups.items()}, what, extreme)
    numbers = [number for row in asked.rows if (number := _of(row, column)) is not None]
    if not numbers or other:
        return None
    value = _written(pool(numbers))
    over = _over(asked, len(numbers))
    text = f"{what}：{value}，{over}。" if asked.language == "zh" else f"The {what} is {value}, {over}."
    return Computed(text, value, _places(asked.rows))


def _extreme(asked: AskedOfTable, extreme: str, column: str) -> Computed | None:
    """The rows with the greatest or the least value of a column."""
    read = number_of if asked.is_numeric(column) else date_of
    valued = [(v, row) for row in asked.rows if (v := read(row.cells.get(column, ""))) is not None]
    if not valued:
        return None
    best = _first([(row, value) for value, row in valued], extreme, asked.most)[: max(MOST_NAMED, asked.most)]
    name = _naming(asked)
    shown = [(row.cells.get(name, ""), row.cells[column]) for row, _ in best]
    text = _ranked(asked, _CALLED[asked.language][extreme].format(column), shown, len(valued))
    return Computed(text, shown[0][0], tuple(row.place for row, _ in best))


def _counted(asked: AskedOfTable, column: str, extreme: str) -> Computed | None:
    """How many values a column has, or how many rows have each of them."""
    counts = Counter(asked.of(column))
    if extreme or asked.group:
        return _of_each(asked, counts, _CALLED[asked.language]["rows"], extreme)
    if len(counts) == len(asked.rows):
        return _count(asked)
    value, over = str(len(counts)), _over(asked, len(asked.rows))
    text = (
        f"不同的{column}有 {value} 个，{over}。"
        if asked.language == "zh"
        else f"There are {value} different values of {column}, {over}."
    )
    return Computed(text, value, _places(asked.rows))


def _count(asked: AskedOfTable) -> Computed:
    """How many rows there are."""
    n, of, file = len(asked.rows), len(asked.table.rows), PurePosixPath(asked.table.source).name
    if asked.language == "zh":
        under = "，".join(asked.conditions)
        text = f"{file} 的 {of} 条记录中有 {n} 条（{under}）。" if under else f"{file} 中共有 {n} 条记录。"
    else:
        under = ", ".join(asked.conditions)
        text = f"{n} of the {of} records in {file} ({under})." if under else f"There are {n} records in {file}."
    return Computed(text, str(n), _places(asked.rows or asked.table.rows))


def _of_each(asked: AskedOfTable, values: Mapping[str, float], what: str, extreme: str) -> Computed | None:
    """What was computed of each value of a column, or which of these has most."""
    if not values:
        return None
    ranked = _first(list(values.items()), extreme or "max", asked.most if extreme else len(values))
    if extreme:
        what = _CALLED[asked.language][extreme].format(what)
    text = _ranked(asked, what, [(value, _written(n)) for value, n in ranked], len(asked.rows))
    return Computed(text, ranked[0][0], _places(asked.rows))


_Thing = TypeVar("_Thing")


def _first(valued: Sequence[tuple[_Thing, float]], extreme: str, most: int) -> list[tuple[_Thing, float]]:
    """The `most` things of greatest or least value, and those that are level with the last of them."""
    sign = 1 if extreme == "min" else -1
    ranked = sorted(valued, key=lambda pair: sign * pair[1])
    last = ranked[min(most, len(ranked)) - 1][1]
    return [pair for pair in ranked if sign * pair[1] <= sign * last]


def _ranked(asked: AskedOfTable, what: str, values: Sequence[tuple[str, str]], rows: int) -> str:
    """Things with their values in a sentence: at most MOST_SHOWN, the others counted."""
    more, over = len(values) - MOST_SHOWN, _over(asked, rows)
    if asked.language == "zh":
        told = "；".join(f"{name}（{value}）" for name, value in values[:MOST_SHOWN])
        return f"{what}：{told}{f'，另有 {more} 个' if more > 0 else ''}，{over}。"
    told = "; ".join(f"{name} ({value})" for name, value in values[:MOST_SHOWN])
    return f"{what[0].upper()}{what[1:]}: {told}{f' and {more} more' if more > 0 else ''}, {over}."


def _of(row: Row, column: str) -> float | None:
    return number_of(row.cells.get(column, ""))


def _naming(asked: AskedOfTable) -> str:
    """The column that tells the rows apart: one that is asked for, else the first in words whose values differ."""
    asked_for = [name for name in asked.columns if not asked.is_numeric(name)]
    unique = [n for n in asked.table.columns if len(set(asked.of(n))) == len(asked.rows) and not asked.is_date(n)]
    words = [name for name in unique if not asked.is_numeric(name)]
    return next(iter([*asked_for, *words, *unique, *asked.table.columns]))


def _over(asked: AskedOfTable, rows: int) -> str:
    """Over how many rows of which file, and of them which."""
    file = PurePosixPath(asked.table.source).name
    if asked.language == "zh":
        under = f"（{'，'.join(asked.conditions)}）" if asked.conditions else ""
        return f"按 {file} 的 {rows} 行计算{under}"
    under = f" ({', '.join(asked.conditions)})" if asked.conditions else ""
    return f"over {rows} rows of {file}{under}"


def _places(rows: Sequence[Row]) -> tuple[Passage, ...]:
    return tuple(row.place for row in rows[:MOST_CITED])


def _written(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")
