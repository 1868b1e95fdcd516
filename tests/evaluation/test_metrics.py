"""The measures, against values worked out by hand."""

from __future__ import annotations

from math import log2

import pytest

from rag.evaluation.metrics import answer_tokens, contains, exact_match, f1, ndcg, recall, reciprocal_rank

GRADES = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}


def test_ndcg_of_the_ideal_order() -> None:
    assert ndcg(["a", "b", "c"], GRADES) == 1.0


def test_ndcg_with_grades() -> None:
    gain = 1 / log2(2) + 0 + 3 / log2(4) + 2 / log2(5)  # c, x, a, b
    best = 3 / log2(2) + 2 / log2(3) + 1 / log2(4)
    assert ndcg(["c", "x", "a", "b"], GRADES) == pytest.approx(gain / best)
    assert ndcg(["c", "x", "a", "b"], GRADES) == pytest.approx(0.705891, abs=1e-5)


def test_ndcg_is_cut() -> None:
    assert ndcg(["x", "y", "a"], GRADES, k=2) == 0.0
    assert ndcg(["a"], GRADES, k=1) == 1.0
    one = {str(i): 1.0 for i in range(20)}
    assert ndcg([str(i) for i in range(10)], one) == 1.0


def test_ndcg_without_relevant_documents() -> None:
    assert ndcg(["a"], {}) == 0.0
    assert ndcg([], GRADES) == 0.0


def test_recall() -> None:
    assert recall(["a", "x", "b"], GRADES, 3) == pytest.approx(2 / 3)
    assert recall(["a", "x", "b"], GRADES, 2) == pytest.approx(1 / 3)
    assert recall(["d"], GRADES, 5) == 0.0
    assert recall(["a"], {"d": 0.0}, 5) == 0.0


def test_reciprocal_rank() -> None:
    assert reciprocal_rank(["x", "d", "c"], GRADES) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "d", "c"], GRADES, k=2) == 0.0
    assert reciprocal_rank([], GRADES) == 0.0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The Denver Broncos!", ["denver", "broncos"]),
        ("an A-team, a theory", ["ateam", "theory"]),
        ("$1,200.50", ["120050"]),
        ("二十四个月。", list("二十四个月")),
        ("２０２２年的 World Cup", ["2022", "年", "的", "world", "cup"]),
        ("“the” 猫", ["the", "猫"]),
        ("", []),
    ],
)
def test_answer_tokens(text: str, tokens: list[str]) -> None:
    assert answer_tokens(text) == tokens


def test_exact_match() -> None:
    assert exact_match("the Denver Broncos.", ["Denver Broncos", "Broncos"]) == 1.0
    assert exact_match("Denver", ["Denver Broncos"]) == 0.0
    assert exact_match("二十四个月。", ["二十四个月"]) == 1.0
    assert exact_match("24 个月", ["二十四个月"]) == 0.0
    assert exact_match("x", []) == 0.0


def test_f1() -> None:
    # two of three tokens said, of two wanted: 2 · 2 / (3 + 2)
    assert f1("big Denver Broncos", ["Denver Broncos", "nothing"]) == pytest.approx(4 / 5)
    # 个, 月 of 4 tokens said (24 is one) and 5 wanted: 2 · 2 / (3 + 5)
    assert f1("24个月", ["二十四个月"]) == pytest.approx(4 / 8)
    assert f1("a b b", ["b b b"]) == pytest.approx(2 * 2 / (2 + 3))
    assert f1("", ["x"]) == 0.0
    assert f1("x", []) == 0.0


def test_contains() -> None:
    assert contains("It lasts 24 months, they say.", ["24 months"])
    assert not contains("It lasts 124 months.", ["24 months"])
    assert contains("She was a six-time champion.", ["six"])
    assert contains("保修期为二十四个月。", ["12 个月", "二十四个月"])
    assert not contains("anything", ["", "..."])
