"""Pure functions on text: which script, which terms, which sentences."""

from __future__ import annotations

import math
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence, Set
from typing import Literal

import Stemmer

from rag.types import Chunk

TERMS = 2
"""Version of `search_terms`; an index keeps the version it was filled with."""


# Written without spaces between words: Han, kana and (for its bigrams) Hangul.
CJK = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{CJK}]+|[^\W_{CJK}]+(?:['’][^\W_{CJK}]+)*")
_CJK_CHAR = re.compile(rf"[{CJK}]")
_NOT_LATIN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff]")
_FOREIGN_SHARE = 0.1  # more than this share of a text's letters not Latin: it is not for a Latin model


def normalise(text: str) -> str:
    """NFKC (full-width forms become plain ones) in lower case, for comparing text."""
    return unicodedata.normalize("NFKC", text).lower()


def script(text: str) -> Literal["latin", "other"]:
    """Whether a model of Latin script can read `text`: at most a tenth of its letters are of other scripts."""
    letters = sum(map(str.isalpha, text))
    foreign = len(_NOT_LATIN.findall(text))
    return "other" if foreign > _FOREIGN_SHARE * max(letters, 1) else "latin"


def language(text: str) -> Literal["zh", "en"]:
    """The language to speak with whoever wrote `text`: Chinese as soon as there is some Chinese in it.

    A question such as "Vue 的 ref 怎么用？" has few Chinese characters and is Chinese all the same.
    """
    cjk = len(_CJK_CHAR.findall(text))
    words = len(re.findall(r"[A-Za-z]+", text))
    return "zh" if cjk > 0 and 2 * cjk >= words else "en"


def terms(text: str) -> list[str]:
    """The lexical terms of `text`, in order: Latin words; characters and bigrams of Chinese (Japanese, Korean).

    Text is normalised by NFKC and case; an English possessive ('s) is dropped.
    """
    found: list[str] = []
    for match in _RUNS.finditer(normalise(text)):
        run = match.group()
        if _CJK_CHAR.match(run):
            found.extend(run)
            found.extend(run[i : i + 2] for i in range(len(run) - 1))
        else:
            found.append(run.replace("’", "'").removesuffix("'s").replace("'", ""))
    return found


def passage(chunk: Chunk) -> str:
    """What is embedded and searched for `chunk`: its heading path, then its text."""
    heading = " > ".join(chunk.heading)
    return f"{heading}\n{chunk.text}" if heading else chunk.text


class _Stemmers(threading.local):
    """A stemmer for each thread, since none serves two."""

    def __init__(self) -> None:
        self.english = Stemmer.Stemmer("english")


_stemmers = _Stemmers()
_SHORTEST = 4
"""Letters of the shortest word that is stemmed: with fewer, what ends in s is as often an abbreviation (iOS)."""


def stem(term: str) -> str:
    """`term` without its ending where it is a word of the letters a to z ("attacked": "attack"), else itself.

    Source: Snowball's stemmer of English (Porter 2).
    """
    if len(term) < _SHORTEST or not (term.isascii() and term.isalpha()):
        return term
    cut: str = _stemmers.english.stemWord(term)
    return cut


def search_terms(text: str) -> list[str]:
    """What `text` is searched by: its `terms`, each cut to its stem."""
    return [stem(term) for term in terms(text)]


def chunk_terms(chunk: Chunk) -> list[str]:
    """The lexical terms that `chunk` is found by."""
    return search_terms(passage(chunk))


# A sentence ends at 。！？ wherever it stands but in a title (《…》), at . ! ? before a space and a capital, at an
# empty line and before a list item, heading or table row; a single line break is only where a line was wrapped.
_SENTENCE_END = re.compile(
    r"(?<=[。！？])(?![^《》\n]{0,40}》)[”’」』）)\"]*\s*"
    r"|(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(\[]?[^\W_a-z])"
    r"|\n\s*\n\s*|\n(?=\s*(?:[-*+•#|>]|\d+[.)、]))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|Nos|Fig|vs|etc|e\.g|i\.e|cf|ca|approx)|\b[A-Z])\.$"
)
_TAIL = 12  # characters: longer than any abbreviation, so that a run of them takes linear time


def sentences(text: str) -> list[tuple[int, int]]:
    """The half-open spans of the sentences of `text`, in order, white space around them left out."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        piece = text[start:end]
        if piece.strip() and (end == len(text) or not _ABBREVIATION.search(piece.rstrip()[-_TAIL:])):
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, start + len(piece.rstrip())))
            start = end
    return spans


_EMPTY_WORDS = frozenset(
    """a an and any are as at be been but by can could did do does for from had has have he her his how i if in
    into is it its many may me more most much my no nor not of on one or our out she should so some such than
    that the their them then there these they this those to up us was we were what when where which who whom
    whose why will with would you your""".split()
) | frozenset(
    "的 了 是 在 和 与 或 及 也 都 就 而 于 其 这 那 此 之 以 为 有 被 把 对 吗 呢 吧 啊 么 个 一 上 下 中 不 "
    "什么 怎么 如何 多少 哪个 哪些 哪里 谁 几 是否 可以 可 能 会 要 请 问 我 你 他 她 它 们 我们 你们 他们 "
    "通过 通 过 使用 使 用 利用 采用 进行 方式 即 则 并 等".split()
)


def content_terms(text: str) -> set[str]:
    """The terms of `text` that carry its meaning: `terms` without the commonest function words."""
    return set(terms(text)) - _EMPTY_WORDS


def rarity(asked: Set[str], held: Sequence[Set[str]]) -> dict[str, float]:
    """What each of the terms `asked` weighs: the fewer of the texts have it (`held`: their terms), the more."""
    having = Counter(term for has in held for term in asked & has)
    return {term: math.log1p((len(held) + 0.5) / (having[term] + 0.5)) for term in asked}


_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_MEASURES = "个月年日天小时分秒钟周元块角升斤克吨米里度岁倍次层楼位名人件台款种条章页项折成号届期"
_CHINESE_NUMBER = re.compile(
    rf"[零〇一二两三四五六七八九十百千万亿]{{2,}}|[二两三四五六七八九十百千万亿](?=[{_MEASURES}])"
)
_CHINESE_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_UNITS = {"十": 10, "百": 100, "千": 1000}
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
_ENGLISH = {word: i for i, word in enumerate(_UNITS)}
_ENGLISH |= {f"{stem}teen": 16 + i for i, stem in enumerate(("six", "seven", "eigh", "nine"))}
_ENGLISH |= {f"{stem}ty": 20 + 10 * i for i, stem in enumerate("twen thir for fif six seven eigh nine".split())}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth".split()
_ONES = {word: i for words in (_UNITS[1:10], _ORDINALS) for i, word in enumerate(words, start=1)}
_ENGLISH |= {f"{word.removesuffix('y')}ieth": value for word, value in _ENGLISH.items() if word.endswith("ty")}
_ENGLISH |= {f"{word}th": value for word, value in _ENGLISH.items() if value in (10, 11) or word.endswith("teen")}
# "first" and "second" are no numbers as often as they are.
_ENGLISH |= {"twelfth": 12} | {word: i for word, i in _ONES.items() if word in _ORDINALS[2:]}
_ENGLISH_NUMBER = re.compile(rf"\b({'|'.join(_ENGLISH)})\b(?:[- ](?:({'|'.join(_ONES)})\b))?")


def numbers(text: str) -> set[str]:
    """The numbers of `text` in digits: "1,200" is "1200", "thirty-six" and 三十六 are "36", "nineteenth" is "19".

    A bare "one" or 一 counts for nothing: it is an article as often as a number. A range ("9-18") is two numbers.
    """
    plain = normalise(text)
    written = (n.split("-") if n.count("-") == 1 else [n] for n in _NUMBER.findall(plain))
    found = {re.sub(r",(?=\d{3})", "", n) for each in written for n in each}
    found |= {str(_chinese_number(match.group())) for match in _CHINESE_NUMBER.finditer(plain)}
    for tens, ones in _ENGLISH_NUMBER.findall(plain):
        if tens != "one":
            found.add(str(_ENGLISH[tens] + (_ONES[ones] if ones and _ENGLISH[tens] >= 20 else 0)))
    return found


def _chinese_number(digits: str) -> int:
    """The value of a Chinese numeral: 三十六 is 36, 二〇二五 2025, 一万二千 12000."""
    if not set(digits) & set("十百千万亿"):
        return int("".join(str(_CHINESE_DIGITS[c]) for c in digits))
    total = section = digit = 0
    for c in digits:
        if c in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[c]
        elif c in _CHINESE_UNITS:
            section, digit = section + (digit or 1) * _CHINESE_UNITS[c], 0
        else:
            total, section, digit = (total + section + digit) * (10_000 if c == "万" else 100_000_000), 0, 0
    return total + section + digit
