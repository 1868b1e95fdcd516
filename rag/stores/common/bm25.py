"""BM25: the formula's parts, and the weights of terms for engines that add them up. Pure functions."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

_LONGEST = 200  # bytes of a term as a key; engines limit the length (PostgreSQL: 2,704 bytes)


def key(term: str) -> str:
    """`term` as engines store it: itself, or a digest if it is too long to be indexed."""
    data = term.encode("utf-8", "replace")
    return term if len(data) <= _LONGEST else f"sha256-{hashlib.sha256(data).hexdigest()}"


def distinct(terms: Sequence[str]) -> list[str]:
    """The keys of `terms`, each once."""
    return list(dict.fromkeys(map(_search_key, terms)))


def _search_key(term: str) -> str:
    """The key of `term` in a search. NUL, which no chunk contains and no engine accepts, is replaced."""
    return key(term).replace("\0", " ")


def weights(keys: Sequence[str], frequencies: Mapping[str, int], total: int) -> dict[str, float]:
    """The most that each term can add to a score, as a share of all terms together; only terms that occur.

    `frequencies` are the numbers of chunks, of `total`, that contain a term. Of more than MOST_TERMS terms only
    the rarest count, as in `rag.stores.faiss.bm25_index`.
    """
    if len(keys) > MOST_TERMS:
        keys = sorted((k for k in keys if frequencies.get(k)), key=lambda k: frequencies[k])[:MOST_TERMS]
    most = bound(total, [frequencies.get(k, 0) for k in keys])
    return {k: (K1 + 1) * idf(total, frequencies[k]) / most for k in keys if frequencies.get(k)}


def rarities(terms: Sequence[str], frequencies: Mapping[str, int], total: int) -> list[float]:
    """How rare each term is, in (0, 1], from the number of the `total` chunks that contain it."""
    return [rarity(total, frequencies.get(_search_key(term), 0)) for term in terms]


def saturation(average: float) -> tuple[float, float]:
    """`(a, b)` such that a term adds ``weight * count / (count + a + b * length)`` to a chunk's score.

    `average` is the mean length of the chunks, in terms.
    """
    return K1 * (1 - B), K1 * B / max(average, 1.0)


# Source: Robertson et al., Okapi at TREC-3 (1994). The idf is Lucene's, log(1 + …), which is above zero
# for every term, so that an index of two or three files can be searched.
K1, B = 1.2, 0.75
MOST_TERMS = 64  # of a question that count: the rarest


def idf(total: int, frequency: int) -> float:
    """The weight of a term that `frequency` of `total` chunks contain."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def rarity(total: int, frequency: int) -> float:
    """The weight of a term divided by the weight of a term that no chunk contains, in (0, 1]."""
    return idf(total, frequency) / idf(total, 0)


def bound(total: int, frequencies: Sequence[int]) -> float:
    """The most that BM25 can be for terms with these frequencies: scores divided by it are comparable."""
    return (K1 + 1) * sum(idf(total, frequency) for frequency in frequencies)
