"""Words that mean the same in one's own documents: a question is searched in each of its wordings.

A file of synonyms has a line for each group of words, with "=" between them; "#" begins a remark:

    报销 = 费用报销
    SLA = service level agreement
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, product
from pathlib import Path

from rag.errors import ConfigError
from rag.retrieval._tuned import MOST_WORDINGS
from rag.text.scripts import CJK, simplify

__all__ = ["Synonyms", "read_synonyms"]

USUAL_FILE = "synonyms.txt"
_MOST_BYTES = 200_000
_LETTER = rf"[^\W_{CJK}]"


class Synonyms:
    """Groups of words that mean the same, whatever their case and characters (traditional, full width)."""

    def __init__(self, groups: Sequence[Sequence[str]] = ()) -> None:
        self._others: dict[str, list[str]] = {}
        for group in groups:
            for word in group:
                known = self._others.setdefault(_key(word), [])
                known += [other for other in group if _key(other) != _key(word) and other not in known]
        longest_first = sorted(self._others, key=len, reverse=True)
        self._words = re.compile("|".join(map(_pattern, longest_first)), re.IGNORECASE) if longest_first else None

    def wordings(self, question: str) -> list[str]:
        """`question`, and beside it what it is with other words for the same, MOST_WORDINGS in all."""
        if self._words is None:
            return [question]
        plain = simplify(unicodedata.normalize("NFKC", question))
        keys = dict.fromkeys(_key(match.group()) for match in self._words.finditer(plain))
        found = [key for key in keys if key in self._others]  # a letter has more than one other case: ı, İ, i
        choices = islice(product(*(["", *self._others[word]] for word in found)), MOST_WORDINGS)
        chosen = [dict(zip(found, each, strict=True)) for each in choices]
        return [question, *(self._reworded(plain, others) for others in chosen[1:])]

    def _reworded(self, plain: str, others: dict[str, str]) -> str:
        assert self._words is not None  # noqa: S101 - something was found
        return self._words.sub(lambda match: others.get(_key(match.group())) or match.group(), plain)


def _key(word: str) -> str:
    """What two ways of writing one word have in common."""
    return " ".join(simplify(unicodedata.normalize("NFKC", word)).lower().split())


def _pattern(key: str) -> str:
    """`key` in a text: a word of letters stands there whole, not as part of another."""
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, key) else ""
    after = rf"(?!{_LETTER})" if re.search(rf"{_LETTER}\Z", key) else ""
    return before + r"\s+".join(map(re.escape, key.split())) + after


def read_synonyms(named: str) -> Synonyms:
    """The synonyms in the file `named`; where that is empty, of the working folder's `synonyms.txt` if it has one.

    A file that has changed is read again. Raises ConfigError for one that cannot be read.
    """
    path = Path(named or USUAL_FILE)
    try:
        state = path.stat()
    except OSError as exc:
        if not named:
            return Synonyms()
        raise ConfigError(f"the file of synonyms {path} cannot be read: {exc.strerror}") from exc
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, size: int) -> Synonyms:
    if size > _MOST_BYTES:
        raise ConfigError(f"the file of synonyms {path} has {size} bytes: {_MOST_BYTES} are the most")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise ConfigError(f"the file of synonyms {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the file of synonyms {path} is not UTF-8: save it so ({exc.reason})") from exc
    return Synonyms(list(_groups(path, text)))


def _groups(path: Path, text: str) -> Iterator[list[str]]:
    for n, line in enumerate(text.splitlines(), start=1):
        said = line.split("#")[0].strip()
        words = [" ".join(word.split()) for word in re.split("[=＝]", said)]
        if said and (len(words) < 2 or not all(words)):
            raise ConfigError(
                f"{path}, line {n}: {said[:80]!r} is no group of synonyms: write words with = between them"
            )
        if said:
            yield words
