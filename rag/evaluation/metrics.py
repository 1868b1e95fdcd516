"""How good are the hits and the answers? Pure functions, as BEIR, SQuAD and CMRC define them."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence

from rag.text import language, normalise


def ndcg(ranked: Sequence[str], relevant: Mapping[str, float], k: int = 10) -> float:
    """nDCG@k with graded relevance, linear gain. Source: trec_eval's ndcg_cut, as used by BEIR."""
    gain = sum(relevant.get(d, 0.0) / math.log2(i + 2) for i, d in enumerate(ranked[:k]))
    ideal = sorted(relevant.values(), reverse=True)[:k]
    best = sum(g / math.log2(i + 2) for i, g in enumerate(ideal))
    return gain / best if best else 0.0


def recall(ranked: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """The share of the relevant documents that are among the first `k`."""
    wanted = {d for d, grade in relevant.items() if grade > 0}
    return len(wanted & set(ranked[:k])) / len(wanted) if wanted else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, float], k: int = 10) -> float:
    """1 / rank of the first relevant document among the first `k`, 0 where there is none."""
    return next((1 / (i + 1) for i, d in enumerate(ranked[:k]) if relevant.get(d, 0.0) > 0), 0.0)


def answer_tokens(text: str, *, punctuation: str = "") -> list[str]:
    """The tokens that EM and F1 compare: English words without articles, Chinese characters.

    `punctuation` replaces each mark: by default nothing, so that "1,200" and "A-team" are a token each.
    Source: the normalisation of SQuAD's and CMRC 2018's evaluation scripts.
    """
    plain = normalise(text)
    plain = "".join(punctuation if c in string.punctuation or re.match(r"[^\w\s]", c) else c for c in plain)
    if language(text) == "en":
        plain = re.sub(r"\b(a|an|the)\b", " ", plain)
    return re.findall(
        r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+", plain
    )


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1 where `answer` equals one of `golds` after normalisation."""
    return float(any(answer_tokens(answer) == answer_tokens(gold) for gold in golds))


def f1(answer: str, golds: Sequence[str]) -> float:
    """The best token F1 of `answer` against `golds`."""
    return max((_f1(answer_tokens(answer), answer_tokens(gold)) for gold in golds), default=0.0)


def _f1(got: Sequence[str], gold: Sequence[str]) -> float:
    common = sum((Counter(got) & Counter(gold)).values())
    return 2 * common / (len(got) + len(gold)) if common else 0.0


def contains(text: str, golds: Sequence[str]) -> bool:
    """Whether the words of one of `golds` stand in `text` in a row, punctuation aside ("six" in "six-time")."""
    haystack = _row(text)
    return any(row in haystack for row in map(_row, golds) if row.strip())


def _row(text: str) -> str:
    return f" {' '.join(answer_tokens(text, punctuation=' '))} "
