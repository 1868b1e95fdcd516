"""Values in a text that can be compared: dates, and amounts with their units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rag.text.scripts import normalise

__all__ = ["Value", "find_months", "find_values"]

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS)
_DATE = re.compile(
    rf"(?P<y1>(?:19|20)\d\d)\s*年(?:\s*(?P<m1>\d{{1,2}})\s*月)?(?:\s*(?P<d1>\d{{1,2}})\s*[日号])?"
    rf"|(?P<m2>\d{{1,2}})\s*月\s*(?P<d2>\d{{1,2}})\s*[日号]"
    rf"|(?P<y3>(?:19|20)\d\d)[-/.](?P<m3>\d{{1,2}})(?:[-/.](?P<d3>\d{{1,2}}))?"
    rf"|(?:(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?:of\s+)?)?\b(?P<m4>{_MONTH})\b\.?(?:\s+(?P<d5>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d))?"
    rf"(?:,?\s+(?P<y4>(?:19|20)\d\d))?"
    rf"|\b(?P<y6>(?:19|20)\d\d)\b(?!\s*[%元人吨])"
)
_SCALES = {
    "万": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "万亿": 1e12, "thousand": 1e3, "million": 1e6, "billion": 1e9,
    "trillion": 1e12, "k": 1e3,
}  # fmt: skip
_UNITS = (
    ("usd", r"\$|美元|us dollars?|dollars?"),
    ("cny", r"¥|￥|元|人民币|rmb|yuan"),
    ("eur", r"€|欧元|euros?"),
    ("gbp", r"£|英镑|pounds?"),
    ("%", r"%|percent|per cent|个百分点"),
    ("year", r"years?|岁|年"),
    ("month", r"months?|个月"),
    ("day", r"days?|天|日"),
    ("hour", r"hours?|小时"),
    ("minute", r"minutes?|分钟"),
    ("ton", r"tons?|tonnes?|吨"),
    ("kg", r"kg|kilograms?|公斤|千克"),
    ("°c", r"°c|℃|度"),
    ("bpm", r"bpm|beats per minute|次/分"),
    ("", r""),
)
_AMOUNT = re.compile(
    r"(?P<before>[$¥￥€£])?\s*(?P<number>\d[\d,]*(?:\.\d+)?)\s*"
    r"(?P<scale>万亿|百万|千万|[万亿]|thousand|million|billion|trillion|k\b)?\s*"
    r"(?P<after>" + "|".join(pattern for _, pattern in _UNITS if pattern) + r")?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Value:
    """`amount` of `unit`; of a date the days since year 0, as far as it is known (a missing year counts as 0)."""

    sort: Literal["date", "amount"]
    amount: float
    unit: str = ""


def find_values(text: str) -> list[Value]:
    """The dates and amounts of `text`, in order: "$1.2 million" and "120万美元" are the same value."""
    plain = normalise(text)
    found: list[tuple[int, Value]] = []
    taken: list[tuple[int, int]] = []
    for match in _DATE.finditer(plain):
        if (value := _date(match)) is not None:
            found.append((match.start(), value))
            taken.append(match.span())
    for match in _AMOUNT.finditer(plain):
        if not any(a < match.end("number") and match.start("number") < b for a, b in taken):
            found.append((match.start(), _amount(match)))
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]


def find_months(text: str) -> set[int]:
    """The months, 1 to 12, that `text` names. The word "may" is one only where it is written as a month is."""
    plain = normalise(text)
    found = {month for match in _DATE.finditer(plain) if (month := _month_of(match))}
    found |= {month for digits in _MONTH_ZH.findall(plain) if 1 <= (month := int(digits)) <= 12}
    return found - {5} if found and not _MAY.search(text) else found


_MONTH_ZH = re.compile(r"(?<!\d)(\d{1,2})\s*月(?![内后])")
_MAY = re.compile(r"\bMay\b|5\s*月|[-/.]0?5[-/.]|五月")


def _month_of(match: re.Match[str]) -> int:
    text = next((value for key, value in match.groupdict().items() if value and key[0] == "m"), "")
    return int(text) if text.isdigit() else _month(text)


def _date(match: re.Match[str]) -> Value | None:
    parts = {key: value for key, value in match.groupdict().items() if value}
    year = next((int(v) for k, v in parts.items() if k[0] == "y"), 0)
    month = _month_of(match)
    day = next((int(v) for k, v in parts.items() if k[0] == "d"), 0)
    if (not year and not (month and day)) or month > 12 or day > 31:
        return None
    return Value("date", year * 372 + month * 31 + day, "date" if year else "day of a year")


def _month(name: str) -> int:
    return next((i for i, month in enumerate(_MONTHS, start=1) if name and month.startswith(name[:3])), 0)


def _amount(match: re.Match[str]) -> Value:
    number = float(match["number"].replace(",", "")) * _SCALES.get(match["scale"] or "", 1.0)
    written = match["before"] or match["after"] or ""
    unit = next((name for name, pattern in _UNITS if pattern and re.fullmatch(pattern, written)), "")
    return Value("amount", number, unit)
