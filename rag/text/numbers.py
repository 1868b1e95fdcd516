"""Numbers in a text, in digits and words, and figures with their units."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rag.text.scripts import normalise

_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_MEASURES = "个月年日天小时分秒钟周元块角升斤克吨米里度岁倍次层楼位名人件台款种条章页项折成号届期"
CHINESE_NUMBER = re.compile(
    rf"[零〇一二两三四五六七八九十百千万亿]{{2,40}}|[二两三四五六七八九十百千万亿](?=[{_MEASURES}])"
)
_CHINESE_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
)
_ENGLISH = {word: i for i, word in enumerate(_NUMBER_WORDS)}
_ENGLISH |= {f"{stem}teen": 16 + i for i, stem in enumerate(("six", "seven", "eigh", "nine"))}
_ENGLISH |= {f"{stem}ty": 20 + 10 * i for i, stem in enumerate("twen thir for fif six seven eigh nine".split())}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth".split()
_ONES = {word: i for words in (_NUMBER_WORDS[1:10], _ORDINALS) for i, word in enumerate(words, start=1)}
_ENGLISH |= {f"{word.removesuffix('y')}ieth": value for word, value in _ENGLISH.items() if word.endswith("ty")}
_ENGLISH |= {f"{word}th": value for word, value in _ENGLISH.items() if value in (10, 11) or word.endswith("teen")}
# "first" and "second" are no numbers as often as they are.
_ENGLISH |= {"twelfth": 12} | {word: i for word, i in _ONES.items() if word in _ORDINALS[2:]}
_ENGLISH_NUMBER = re.compile(rf"\b({'|'.join(_ENGLISH)})\b(?:[- ](?:({'|'.join(_ONES)})\b))?")


def find_numbers(text: str) -> set[str]:
    """The numbers of `text` in digits: "1,200" is "1200", "thirty-six" and 三十六 are "36", "nineteenth" is "19".

    A bare "one" or 一 counts for nothing: it is an article as often as a number. A range ("9-18") is two numbers.
    """
    plain = normalise(text)
    written = (n.split("-") if n.count("-") == 1 else [n] for n in _NUMBER.findall(plain))
    found = {re.sub(r",(?=\d{3})", "", n) for each in written for n in each}
    found |= {str(chinese_number(match.group())) for match in CHINESE_NUMBER.finditer(plain)}
    for tens, ones in _ENGLISH_NUMBER.findall(plain):
        if tens != "one":
            found.add(str(_ENGLISH[tens] + (_ONES[ones] if ones and _ENGLISH[tens] >= 20 else 0)))
    return found


_SCALES = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "千": 1000, "万": 10**4, "百万": 10**6, "千万": 10**7, "亿": 10**8, "万亿": 10**12,
}  # fmt: skip
_SCALED = re.compile(
    r"(?<![\d.])(\d{1,20}(?:\.\d{1,20})?) ?"
    r"(hundred|million|billion|trillion|thousand|百万|千万|万亿|千(?![克米瓦])|万|亿)(?:(?: and)? (\d{1,20})\b)?"
)


def write_digits(text: str) -> str:
    """`text`, normalised, with all numbers in digits: 三十六个月 is "36个月", 5万 "50000"."""
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", normalise(text))
    plain = CHINESE_NUMBER.sub(lambda match: str(chinese_number(match.group())), _SCALED.sub(_scaled, plain))
    plain = re.sub(r"\ban? (?=hundred|thousand|million|billion)", "1 ", plain)
    plain = _ENGLISH_NUMBER.sub(lambda match: next(iter(find_numbers(match.group())), match.group()), plain)
    return _SCALED.sub(_scaled, plain)


def _scaled(match: re.Match[str]) -> str:
    return f"{round(float(match[1]) * _SCALES[match[2]] + int(match[3] or 0), 4):.10g}"


def chinese_number(digits: str) -> int:
    """The value of a Chinese numeral: 三十六 is 36, 二〇二五 2025, 一万二千 12000."""
    if not set(digits) & set("十百千万亿"):
        return int("".join(str(_CHINESE_DIGITS[c]) for c in digits))
    total = section = digit = 0
    for c in digits:
        if c in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[c]
        elif c in _CHINESE_UNITS:
            section, digit = section + (digit or 1) * _CHINESE_UNITS[c], 0
        elif c == "万":  # 一亿五千万: of the 五千 only
            total, section, digit = total + (section + digit) * 10_000, 0, 0
        else:
            total, section, digit = (total + section + digit) * 10**8, 0, 0
    return total + section + digit


_UNITS = {
    "gbp": "£|pounds?|英镑",
    "cny": "¥|￥|yuan|rmb|人民币|元",
    "usd": r"\$|us dollars?|dollars?|美元",
    "eur": "€|euros?|欧元",
    "%": "%|percent|per cent|％",
    "day": "(?:working |calendar )?days?|个?工作日|天|日",
    "month": "months?|个月|月",
    "year": "years?|周岁|岁|年",
    "week": "weeks?|周|星期",
    "hour": "hours?|h|个?小时|钟头",
    "minute": "minutes?|min|分钟|分",
    "ms": "ms|milliseconds?|毫秒",
    "second": "seconds?|s|秒",
    "kg": "kg|kilograms?|kilos?|公斤|千克",
    "g": "g|grams?|克",
    "litre": "l|litres?|liters?|升",
    "ml": "ml|millilitres?|毫升",
    "mm": "mm|millimetres?|毫米",
    "cm": "cm|centimetres?|厘米",
    "m": "m|metres?|meters?|米",
    "km": "km|kilometres?|公里|千米",
    "w": "w|watts?|瓦",
    "v": "v|volts?|伏",
    "bar": "bar",
    "degree": "°c|℃|degrees?|摄氏度|度",
    "time": "times|次",
    "person": "people|persons?|人|名|位",
}
_BEFORE = re.compile(r"(£|¥|￥|\$|€)\s*$")
_AFTER = re.compile(
    r"\s*(?:" + "|".join(f"(?P<u{i}>{words})" for i, words in enumerate(_UNITS.values())) + r")(?![a-z])"
)
_FIGURE = re.compile(r"(?<![\w.])\d{1,40}(?:[.,]\d+)*(?![\w]*\d)")
UNIT_WORDS = frozenset(re.findall(r"[a-z]+|[\u4e00-\u9fff]+", " ".join(_UNITS.values()))) | {
    "working",
    "calendar",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit: `text` as it is written, `value` in plain digits, `unit` a key of units or ""."""

    text: str
    value: str
    unit: str


def find_figures(text: str) -> list[Figure]:
    """The figures of `text` in order, each with its unit."""
    plain = normalise(text)
    return [_figure(plain, match) for match in _FIGURE.finditer(plain)]


def _figure(plain: str, match: re.Match[str]) -> Figure:
    value = re.sub(r",(?=\d{3})", "", match.group())
    names = list(_UNITS)
    if before := _BEFORE.search(plain[: match.start()]):
        sign = before.group(1)
        unit = next(name for name, words in _UNITS.items() if re.fullmatch(words, sign))
        return Figure(f"{sign}{match.group()}", value, unit)
    after = _AFTER.match(plain, match.end())
    if after is None:
        return Figure(match.group(), value, "")
    unit = names[next(i for i in range(len(names)) if after[f"u{i}"])]
    return Figure(plain[match.start() : after.end()], value, unit)
