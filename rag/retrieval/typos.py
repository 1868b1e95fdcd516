"""Words of a question that are in no document: what was probably meant, and identifiers that are not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_lowercase

from rag.retrieval._tuned import SHORTEST_MENDED
from rag.text.forms import find_identifiers

__all__ = ["find_missing", "mend_terms"]


def find_missing(question: str, rarities: Callable[[Sequence[str]], list[float]]) -> list[str]:
    """The identifiers of `question` ("KV-30-3", "GB/T 19001") that are in no chunk, however they are written."""
    found = find_identifiers(question)
    return [code for code, rare in zip(found, rarities(list(found.values())), strict=True) if rare >= 1]


def mend_terms(terms: Sequence[str], rarities: Callable[[Sequence[str]], list[float]]) -> list[str]:
    """`terms`, where a word that no chunk has (of rarity 1) is the one that is there and differs by one letter.

    A question most of whose words are in no chunk is left alone: it is in another language, or about other things.
    """
    words = [term for term in dict.fromkeys(terms) if term.isascii() and term.isalpha()]
    long = [word for word in words if len(word) >= SHORTEST_MENDED]
    if not long:
        return list(terms)
    strange = [word for word, rare in zip(long, rarities(long), strict=True) if rare >= 1]
    if not strange or 2 * len(strange) > len(words):
        return list(terms)
    known = {word: _nearest(word, rarities) for word in strange}
    return [known.get(term, term) for term in terms]


def _nearest(word: str, rarities: Callable[[Sequence[str]], list[float]]) -> str:
    """The word that is there and differs least from `word`, the commonest of several; else `word` itself."""
    for others in (_turned(word), _changed(word)):
        found = [(rare, other) for other, rare in zip(others, rarities(others), strict=True) if rare < 1]
        if found:
            return min(found)[1]
    return word


def _turned(word: str) -> list[str]:
    """Two letters in the wrong order, or a letter written once or twice: what happens oftenest."""
    cuts = range(len(word))
    swapped = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in cuts[:-1]}
    doubled = {word[:i] + word[i] + word[i:] for i in cuts}
    single = {word[:i] + word[i + 1 :] for i in cuts[:-1] if word[i] == word[i + 1]}
    return sorted((swapped | doubled | single) - {word})


def _changed(word: str) -> list[str]:
    """One letter too few, too many, or another; the first letter is seldom wrong."""
    fewer = {word[:i] + word[i + 1 :] for i in range(1, len(word))}
    other = {word[:i] + letter + word[i + 1 :] for i in range(1, len(word)) for letter in ascii_lowercase}
    more = {word[:i] + letter + word[i:] for i in range(1, len(word) + 1) for letter in ascii_lowercase}
    return sorted((fewer | other | more) - {word})
