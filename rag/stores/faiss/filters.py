"""Filters in SQL. Pure functions."""

from __future__ import annotations

import json

from rag.stores.common.glob import find_closing
from rag.types import Where


def sql(where: Where) -> tuple[str, list[str | int]]:
    """The query, with its values, for the ranges (first id, number) of the chunks that match `where`."""
    conditions: list[str] = ["true"]
    values: list[str | int] = []
    if where.source is not None:
        conditions.append("d.source GLOB ?")
        values.append(sqlite_glob(where.source))
    if where.type is not None:
        conditions.append("d.type = ?")
        values.append(where.type)
    if where.exclude:
        conditions.append("d.source NOT IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(sorted(where.exclude)))
    if where.pages is not None:
        conditions.append("c.page BETWEEN ? AND ?")
        values.extend(where.pages)
    what, table = "d.first, d.chunks", "documents d"
    if where.pages is not None:
        what = "c.id, 1"
        table += " JOIN chunks c ON c.id BETWEEN d.first AND d.first + d.chunks - 1"
    return f"SELECT {what} FROM {table} WHERE {' AND '.join(conditions)} ORDER BY 1", values  # noqa: S608


def sqlite_glob(pattern: str) -> str:
    """The pattern of SQLite's GLOB with the meaning that `pattern` has in `fnmatch.fnmatchcase`.

    They differ inside brackets: SQLite negates with ^, fnmatch with !, and a bracket that is never closed is a
    plain character only for fnmatch.
    """
    out: list[str] = []
    i = 0
    while i < len(pattern):
        if pattern[i] == "[" and (end := find_closing(pattern, i)):
            out.append(_bracket(pattern[i + 1 : end]))
            i = end + 1
        else:
            out.append("[[]" if pattern[i] == "[" else pattern[i])
            i += 1
    return "".join(out)


def _bracket(members: str) -> str:
    if members.startswith("!"):
        return f"[^{members[1:]}]"
    if not members.startswith("^"):
        return f"[{members}]"
    # ^ must not come first: repeat a member before it.
    return f"[{members[-1]}{members}]" if len(members) > 1 else "^"
