"""Pure functions on text: which script, which terms, which sentences."""

from __future__ import annotations

import math
import re
import threading
from collections import Counter
from collections.abc import Sequence, Set

import Stemmer

from rag.text.forms import find_forms, number
from rag.text.scripts import CJK, CJK_CHAR, normalise, simplify
from rag.types import Chunk

TERMS = 3
"""Version of `search_terms` and `chunk_terms`; an index keeps the version it was filled with."""

_LATIN = rf"[^\W_{CJK}]"
_NUMBER = rf"(?<!{_LATIN})(?<!{_LATIN}[.,])(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?k?(?!{_LATIN}|[.,]\d)"
_RUNS = re.compile(rf"[{CJK}]+|(?P<number>{_NUMBER})|{_LATIN}+(?:['’]{_LATIN}+)*")


def split_terms(text: str) -> list[str]:
    """The lexical terms of `text`, in order: Latin words; characters and bigrams of Chinese (Japanese, Korean).

    Text is normalised by NFKC and case, Chinese to simplified characters, numbers to plain digits ("1,200",
    "1.2k"); an English possessive ('s) is dropped.
    """
    found: list[str] = []
    for match in _RUNS.finditer(simplify(normalise(text))):
        run = match.group()
        if match["number"]:
            found.append(number(run.removesuffix("k"), 3 if run.endswith("k") else 0))
        elif CJK_CHAR.match(run):
            found.extend(run)
            found.extend(run[i : i + 2] for i in range(len(run) - 1))
        else:
            found.append(run.replace("’", "'").removesuffix("'s").replace("'", ""))
    return found


def embedding_text(chunk: Chunk) -> str:
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


def search_terms(question: str) -> list[str]:
    """What `question` is searched by: its `split_terms`, each cut to its stem, and the forms of what it names."""
    return [*(stem(term) for term in split_terms(question)), *find_forms(question, asked=True)]


HEADING, NAME = 1, 1
"""How often a term of the headings, and of the file's name, counts as one of the text: BM25F with whole numbers.

Source: Robertson, Zaragoza and Taylor, Simple BM25 Extension to Multiple Weighted Fields (2004).
"""


def chunk_terms(chunk: Chunk) -> list[str]:
    """The lexical terms that `chunk` is found by: of its text, its headings and its file's name."""
    name = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", chunk.source)
    fields = ((chunk.text, 1), (" > ".join(chunk.heading), HEADING), (name, NAME))
    return [term for text, times in fields if text for term in _terms(text) * times]


def _terms(text: str) -> list[str]:
    return [*(stem(term) for term in split_terms(text)), *find_forms(text)]


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


def is_empty_word(term: str) -> bool:
    """Whether `term` is one of the commonest function words."""
    return term in _EMPTY_WORDS


def content_terms(text: str) -> set[str]:
    """The terms of `text` that carry its meaning: `split_terms` without the commonest function words."""
    return set(split_terms(text)) - _EMPTY_WORDS


def rarity(asked: Set[str], held: Sequence[Set[str]]) -> dict[str, float]:
    """What each of the terms `asked` weighs: the fewer of the texts have it (`held`: their terms), the more."""
    having = Counter(term for has in held for term in asked & has)
    return {term: math.log1p((len(held) + 0.5) / (having[term] + 0.5)) for term in asked}
