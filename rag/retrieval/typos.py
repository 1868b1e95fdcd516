"""Words of a question that are in no document: what was probably meant, and identifiers that are not there.

English is written by its letters, and one of them is wrong; Chinese by its sounds, and a character is another that
sounds alike (密马: 密码).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rag.retrieval._tuned import COHESION, FEW_PAIRS, SHORTEST_MENDED
from rag.text.forms import find_identifiers
from rag.text.homophones import homophones
from rag.text.scripts import CJK_CHAR
from rag.text.terms import is_empty_word

__all__ = ["find_missing", "mend_terms"]


def find_missing(question: str, rarities: Rarities) -> list[str]:
    """The identifiers of `question` ("KV-30-3", "GB/T 19001") that are in no chunk, however they are written."""
    found = find_identifiers(question)
    return [code for code, rare in zip(found, rarities(list(found.values())), strict=True) if rare >= 1]


Rarities = Callable[[Sequence[str]], list[float]]
"""How rare each of some terms is, in (0, 1]: 1 where no chunk has it."""


def mend_terms(terms: Sequence[str], rarities: Rarities) -> list[str]:
    """`terms`, where a word that no chunk has is the one that is there and is written or sounds nearly the same.

    A question most of whose words are in no chunk is left alone: it is in another language, or about other things.
    """
    return _mend_characters(_mend_letters(terms, rarities), rarities)


def _mend_letters(terms: Sequence[str], rarities: Rarities) -> list[str]:
    words = [term for term in dict.fromkeys(terms) if term.isascii() and term.isalpha()]
    long = [word for word in words if len(word) >= SHORTEST_MENDED]
    if not long:
        return list(terms)
    strange = [word for word, rare in zip(long, rarities(long), strict=True) if rare >= 1]
    if not strange or 2 * len(strange) > len(words):
        return list(terms)
    known = {word: _nearest(word, rarities) for word in strange}
    return [known.get(term, term) for term in terms]


@dataclass(frozen=True, slots=True)
class _Change:
    """A character taken for another, since that makes `pair`, which is a word of the documents."""

    rarity: float
    pair: str
    wrong: str
    right: str


def _mend_characters(terms: Sequence[str], rarities: Rarities) -> list[str]:
    pairs = [term for term in dict.fromkeys(terms) if len(term) == 2 and CJK_CHAR.match(term)]
    if len(pairs) > FEW_PAIRS:
        return list(terms)
    singles = list(dict.fromkeys("".join(pairs)))
    known = dict(zip([*pairs, *singles], rarities([*pairs, *singles]), strict=True)) if pairs else {}
    if 2 * sum(known[each] >= 1 for each in singles) > len(singles):
        return list(terms)
    alone = [c for c in singles if not is_empty_word(c) and all(known[pair] >= 1 for pair in pairs if c in pair)]
    changed: dict[str, str] = {}
    for change in sorted(_changes(alone, pairs, rarities), key=lambda change: change.rarity):
        if not {change.wrong, *change.pair} & {*changed, *changed.values()}:
            changed[change.wrong] = change.right
    table = str.maketrans(changed)
    return [term.translate(table) for term in terms]


def _changes(alone: Sequence[str], pairs: Sequence[str], rarities: Rarities) -> list[_Change]:
    """What may be meant by the characters `alone`, which stand with none of their neighbours in any chunk."""
    made = {
        pair.replace(wrong, right): (wrong, right)
        for wrong in alone
        for right in homophones(wrong)
        for pair in pairs
        if wrong in pair
    }
    there = {pair: rare for pair, rare in zip(made, rarities(list(made)), strict=True) if rare < 1} if made else {}
    singles = list("".join(there))
    held = dict(zip(singles, rarities(singles), strict=True)) if there else {}
    return [
        _Change(rare, pair, *made[pair])
        for pair, rare in there.items()
        if rare - max(held[pair[0]], held[pair[1]]) <= COHESION
    ]


def _nearest(word: str, rarities: Rarities) -> str:
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
