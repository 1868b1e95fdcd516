"""Ways to write one thing, as terms beside the words: dates, numbers, identifiers.

"2024年3月5日", "March 5, 2024" and "5.3.2024" are all 2024-03-05; "1.2k" and 一千二百 are 1200; "E-03" is e03 as
well as its parts; `getUserName` is its three words too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from rag.text.numbers import CHINESE_NUMBER, chinese_number
from rag.text.scripts import simplify

_MONTHS = "january february march april may june july august september october november december".split()
_NAMED_MONTH = {name: i for i, name in enumerate(_MONTHS, 1)} | {name[:3]: i for i, name in enumerate(_MONTHS, 1)}
_NAMED_MONTH["sept"] = 9
_NAME = rf"(?P<name>{'|'.join(sorted(_NAMED_MONTH, key=len, reverse=True))})\.?"
_DIGITS = "[0-9零一二三四五六七八九十]"
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\d.])(?P<y>(?:19|20)\d\d)(?P<sign>[-/.])(?P<m>\d{1,2})(?P=sign)(?P<d>\d{1,2})(?![\d.]*\d)",
        rf"(?P<y>(?:19|20)\d\d|[零一二三四五六七八九]{{4}})年(?P<m>{_DIGITS}{{1,2}})月(?:(?P<d>{_DIGITS}{{1,3}})[日号])?",
        rf"(?<!年)(?<!\d)(?P<m>{_DIGITS}{{1,2}})月(?P<d>{_DIGITS}{{1,3}})[日号]",
        rf"\b{_NAME} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>(?:19|20)\d\d))?\b",
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_NAME}(?:,? (?P<y>(?:19|20)\d\d))?\b",
        rf"\b{_NAME} (?P<y>(?:19|20)\d\d)\b",
        r"(?<![\d.])(?P<d>\d{1,2})(?P<sign>[./])(?P<m>\d{1,2})(?P=sign)(?P<y>(?:19|20)\d\d)(?![\d.]*\d)",
    )
)
_MAY_DATE = re.compile(
    rf"\d[-./]\d|月|\d[a-z]{{0,2}},? (?:of )?(?:{'|'.join(m[:3] for m in _MONTHS)})|"
    rf"(?:{'|'.join(m[:3] for m in _MONTHS)})[a-z]*\.? \d",
    re.IGNORECASE,
)
_OF_TEN_THOUSAND = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)\s?([千万亿])")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s?(?:%|percent\b|per cent\b)")
_TIMES = {"千": 3, "万": 4, "亿": 8}
_SIGN = re.compile(r"[-./:@#+\\_][A-Za-z0-9]")
_CODE = re.compile(r"[A-Za-z0-9_]+(?:[-./:@#+\\_]+[A-Za-z0-9_]+)+")
_SPACED_CODE = re.compile(  # "ISO 9001", and not "CEO 2021"
    r"(?<![A-Za-z0-9])[A-Z]{1,5}(?:/[A-Z]{1,3} | (?!(?:19|20)\d\d(?!\d)))[0-9]{2,}[A-Z]?(?![A-Za-z0-9])"
)
_CAMEL = re.compile(r"\b[a-z]{2,}(?:[A-Z][a-z0-9]+)+\b|\b(?:[A-Z][a-z0-9]+){3,}\b")
_HUMP = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
_LETTER = re.compile("[A-Za-z]")
_VERSION = re.compile(r"\d+(?:\.\d+){2,}")


def find_forms(text: str, asked: bool = False) -> Iterator[str]:
    """The normal forms in `text`, more than once where they stand more than once.

    `asked`: those alone by which a question is to be found: of a date the whole, and what is surely an identifier.
    """
    plain = simplify(unicodedata.normalize("NFKC", text))
    if any(map(str.isdigit, plain)) or CHINESE_NUMBER.search(plain):
        yield from _dates(plain, asked)
        yield from _numbers(plain.lower())
    yield from _codes(plain, asked)


def find_identifiers(text: str) -> dict[str, str]:
    """What in `text` is surely an identifier ("E-03", "GB/T 19001", a path), each with its term."""
    plain = unicodedata.normalize("NFKC", text)
    codes = [code for code in _CODE.findall(plain) if _is_sure(code)]
    return {code: _whole(code) for code in (*codes, *_SPACED_CODE.findall(plain))}


def _dates(plain: str, asked: bool) -> Iterator[str]:
    if not _MAY_DATE.search(plain):
        return
    for pattern in _DATES:
        found = list(pattern.finditer(plain))
        plain = pattern.sub("|", plain)  # what is part of a date is none of another
        for match in found:
            part = {"y": None, "m": None, "d": None, "name": None, "sign": None} | match.groupdict()
            month = _NAMED_MONTH[part["name"].lower()] if part["name"] else _value(part["m"])
            day = _value(part["d"])
            yield from _date(_value(part["y"]), month, day, asked)
            if part["sign"] == "/" and match.start("d") < match.start("m") and day <= 12:
                yield from _date(_value(part["y"]), day, month, asked)  # written the American way, perhaps


def _value(digits: str | None) -> int:
    if not digits:
        return 0
    return int(digits) if digits.isdecimal() else chinese_number(digits)


def _date(year: int, month: int, day: int, asked: bool) -> Iterator[str]:
    if not 1 <= month <= 12 or day > 31:
        return
    whole = f"{year or '-'}-{month:02}" + (f"-{day:02}" if day else "")
    yield whole
    if not asked and day and year:
        yield f"{year}-{month:02}"
        yield f"---{month:02}-{day:02}"[1:]


def _numbers(plain: str) -> Iterator[str]:
    for match in CHINESE_NUMBER.finditer(plain):
        yield str(chinese_number(match.group()))
    for match in _OF_TEN_THOUSAND.finditer(plain):
        yield number(match.group(1), _TIMES[match.group(2)])
    if "%" in plain or "percent" in plain or "per cent" in plain:
        for match in _PERCENT.finditer(plain):
            yield f"{match.group(1)}%"
    for match in _VERSION.finditer(plain):
        parts = match.group().split(".")
        yield from (".".join(parts[:n]) for n in range(2, len(parts) + 1))


def number(digits: str, power: int = 0) -> str:
    """`digits`, perhaps with commas and a point, times ten to the `power`, in the shortest plain way."""
    whole, _, fraction = digits.replace(",", "").partition(".")
    moved = fraction.ljust(power, "0")
    whole, fraction = (whole + moved[:power]).lstrip("0") or "0", moved[power:].rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _codes(plain: str, asked: bool) -> Iterator[str]:
    for word in plain.split():
        if _SIGN.search(word):
            for code in _CODE.findall(word):
                if _is_sure(code) or (not asked and _LETTER.search(code)):
                    yield _whole(code)
        if not (word.islower() or word.istitle()):
            for code in _CAMEL.findall(word):
                yield from (part.lower() for part in _HUMP.findall(code))
    for code in _SPACED_CODE.findall(plain):
        yield _whole(code)


def _is_sure(code: str) -> bool:
    """Whether what is joined by signs is no pair of words ("and/or", "well-known"), date or number."""
    return bool(_LETTER.search(code) and re.search(r"\d|[@_\\]|[a-z]\.[a-z]|/.*/|::", code))


def _whole(code: str) -> str:
    """An identifier without its signs, but for those between two digits: KV-30-3 is another than KV-303."""
    return re.sub(
        r"[^A-Za-z0-9-]+", "", re.sub(r"(?<=\d)[^A-Za-z0-9]+(?=\d)|(?P<sign>[^A-Za-z0-9])", _sign, code)
    ).lower()


def _sign(match: re.Match[str]) -> str:
    return "" if match["sign"] else "-"
