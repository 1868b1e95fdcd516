"""Globs as regular expressions with the same meaning in PostgreSQL and Lucene. Pure functions."""

from __future__ import annotations

_NOTHING = "\uffff"  # not a character, so it is in no file name


def regex(pattern: str) -> str:
    """The expression, without anchors, that matches the same whole names as `fnmatch.fnmatchcase` with `pattern`.

    It uses only what both dialects share: ``.``, ``.*``, brackets with ranges, and a backslash before any
    ASCII character that is neither letter nor digit.
    """
    out: list[str] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "[" and (end := find_closing(pattern, i)):
            out.append(_bracket(pattern[i + 1 : end]))
            i = end
        elif char == "*":
            out.append("" if out[-1:] == [".*"] else ".*")
        else:
            out.append("." if char == "?" else _literal(char))
        i += 1
    return "".join(out)


def find_closing(pattern: str, start: int) -> int:
    """Where the bracket opened at `start` closes, 0 if nowhere; a ] directly after [ or [! is a member."""
    first = start + 2 if pattern[start + 1 : start + 2] == "!" else start + 1
    return max(pattern.find("]", first + 1), 0)


def _literal(char: str) -> str:
    return f"\\{char}" if char.isascii() and not char.isalnum() else char


def _bracket(members: str) -> str:
    negated = members.startswith("!")
    ranges = _ranges(members[1:] if negated else members)
    if not ranges:  # every range was reversed
        return "." if negated else _NOTHING
    inside = "".join(_literal(a) if a == b else f"{_literal(a)}-{_literal(b)}" for a, b in ranges)
    return f"[{'^' if negated else ''}{inside}]"


def _ranges(members: str) -> list[tuple[str, str]]:
    """The (first, last) characters of the ranges in a bracket, without reversed ones, which match nothing."""
    found: list[tuple[str, str]] = []
    i = 0
    while i < len(members):
        if members[i + 1 : i + 2] == "-" and i + 2 < len(members):
            found.append((members[i], members[i + 2]))
            i += 3
        else:
            found.append((members[i], members[i]))
            i += 1
    return [(a, b) for a, b in found if a <= b]
