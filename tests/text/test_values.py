"""Dates and amounts in a text, as values that can be compared."""

from __future__ import annotations

import pytest

from rag.text.values import find_values


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("in May 1911", "1912"),
        ("on 3 May 1911", "May 4, 1911"),
        ("2020年2月", "2020年11月3日"),
        ("26th, February", "1st March"),
        ("1908-05-01", "1908/5/2"),
    ],
)
def test_dates_follow_one_another(early: str, late: str) -> None:
    (first,), (second,) = find_values(early), find_values(late)
    assert first.sort == second.sort == "date"
    assert first.amount < second.amount


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("£1.2 million", 1.2e6, "gbp"),
        ("5000万元", 5e7, "cny"),
        ("1,000 万元", 1e7, "cny"),
        ("36.8 °C", 36.8, "°c"),
        ("80次/分", 80, "bpm"),
        ("45%", 45, "%"),
    ],
)
def test_amounts_have_their_units(text: str, amount: float, unit: str) -> None:
    assert [(v.amount, v.unit) for v in find_values(text)] == [(pytest.approx(amount), unit)]
