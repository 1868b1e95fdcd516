"""Whether a passage says what a statement does: rates over the pairs file, and what each check is for."""

from __future__ import annotations

import time

import pytest

from benchmarks.pairs import rates, read_pairs
from rag.grounding.entailment import agrees

LET_THROUGH, DROPPED = 0.29, 0.12
"""The most over all pairs that a change may leave; `python -m benchmarks.pairs` prints today's."""

SHUTTLE = "The shuttle to the airport leaves at 7:15 and takes 40 minutes. Dogs are not allowed on board."
LOCKERS = "| Locker | Key | Fee |\n| North | blue | 12 euros |\n| South | red | 15 euros |"
SAUNA = "桑拿房每天开放六个小时，周二不开放。儿童不得单独入内。毛巾由前台提供。"


def test_rates_over_the_pairs() -> None:
    let_through, dropped = rates(read_pairs())
    assert let_through <= LET_THROUGH
    assert dropped <= DROPPED


@pytest.mark.parametrize(
    ("statement", "passage"),
    [
        ("The airport shuttle leaves at 7:15.", SHUTTLE),
        ("It takes forty minutes to the airport.", SHUTTLE),
        ("No, dogs may not travel on board.", SHUTTLE),
        ("The key of the north locker is blue.", LOCKERS),
        ("The south locker has a red key and a fee of 15 euros.", LOCKERS),
        ("桑拿房每天开放 6 小时。", SAUNA),
        ("不可以，儿童不能单独进入桑拿房。", SAUNA),
        ("The sauna is open for six hours a day, but not on Tuesday.", SAUNA),
    ],
)
def test_says_so(statement: str, passage: str) -> None:
    assert agrees(statement, passage)


@pytest.mark.parametrize(
    ("statement", "passage"),
    [
        ("The shuttle leaves at 7:45.", SHUTTLE),
        ("The shuttle takes 40 hours.", SHUTTLE),
        ("Dogs are allowed on board.", SHUTTLE),
        ("The shuttle to the station leaves at 7:15 and takes 40 minutes.", SHUTTLE),
        ("All shuttles to the airport take 40 minutes.", SHUTTLE),
        ("The north locker has a red key.", LOCKERS),
        ("桑拿房每天开放八个小时。", SAUNA),
        ("桑拿房周三不开放。", SAUNA),
        ("儿童可以单独入内。", SAUNA),
        ("毛巾由客人提供。", SAUNA),
        ("The sauna is open for nine hours a day.", SAUNA),
    ],
)
def test_does_not_say_so(statement: str, passage: str) -> None:
    assert not agrees(statement, passage)


def test_context_makes_up_for_what_a_passage_leaves_out() -> None:
    passage = "Opens at 8:30. Closed on Monday."
    assert agrees("The Larkspur Museum in Ghent opens at 8:30.", passage, "Larkspur Museum, Ghent > Hours")
    assert not agrees("The Larkspur Museum in Ghent opens at 8:30.", passage)


@pytest.mark.parametrize(
    ("statement", "passage"),
    [
        ("The fee is 50,000 yuan.", "费用是5万元。"),
        ("投资一亿五千万元。", "公司投资1.5亿元。"),
        ("The trip takes 90 minutes.", "The trip takes one and a half hours."),
        ("It lasts six months.", "It lasts half a year."),
        ("The shop opens at 15:00.", "The shop opens at 3 pm."),
        ("开业日期是2024年4月3日。", "The shop opened on 3 April 2024."),
    ],
)
def test_a_figure_in_another_form_is_the_same(statement: str, passage: str) -> None:
    assert agrees(statement, passage)


@pytest.mark.parametrize("text", ["不", "一", "9", "9.", "a|", "半", "not a "])
def test_hostile_text_takes_no_time(text: str) -> None:
    start = time.process_time()
    agrees((text * 1200)[:1200], text * 5000)
    assert time.process_time() - start < 2
