"""Sets of chunk ids as ranges, both ends included, ascending and not adjacent. Pure functions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

Range = tuple[int, int]
Ranges = tuple[Range, ...]


def merged(ranges: Iterable[Range]) -> Ranges:
    """The same ids in the fewest ranges."""
    out: list[Range] = []
    for first, last in sorted(ranges):
        if out and first <= out[-1][1] + 1:
            out[-1] = out[-1][0], max(last, out[-1][1])
        else:
            out.append((first, last))
    return tuple(out)


def without(ranges: Iterable[Range], holes: Iterable[Range]) -> Ranges:
    """The ids of `ranges` that are in none of the `holes`."""
    out: list[Range] = []
    gaps = merged(holes)
    for start, last in merged(ranges):
        first = start
        for hole_first, hole_last in gaps:
            if hole_last < first:
                continue
            if hole_first > last:
                break
            if hole_first > first:
                out.append((first, hole_first - 1))
            first = hole_last + 1
        if first <= last:
            out.append((first, last))
    return tuple(out)


def holds(ranges: Sequence[Range], number: int) -> bool:
    """Whether `number` lies in one of the ranges."""
    at = bisect_right(ranges, number, key=lambda each: each[0])
    return at > 0 and number <= ranges[at - 1][1]


def cover(ranges: Ranges, most: int) -> Ranges:
    """At most `most` ranges that contain all of `ranges`; the smallest gaps are closed."""
    if len(ranges) <= most:
        return ranges
    gaps = [after[0] - before[1] for before, after in pairwise(ranges)]
    kept = sorted(sorted(range(len(gaps)), key=gaps.__getitem__, reverse=True)[: most - 1])
    firsts = [ranges[0][0], *(ranges[i + 1][0] for i in kept)]
    lasts = [*(ranges[i][1] for i in kept), ranges[-1][1]]
    return tuple(zip(firsts, lasts, strict=True))
