"""One thing, however it is written, has a term of its own."""

from __future__ import annotations

import pytest

from rag.text import search_terms
from rag.text.forms import find_forms, find_identifiers


@pytest.mark.parametrize(
    ("form", "ways"),
    [
        (
            "2024-03-05",
            "2024-03-05|2024/3/5|2024.3.5|2024年3月5日|２０２４年３月５日|二〇二四年三月五日|March 5, 2024|"
            "5 March 2024|Mar. 5th, 2024|the 5th of March 2024|5.3.2024",
        ),
        ("2024-03", "2024年3月|March 2024|on 2024-03-05"),
        ("--03-05", "2024年3月5日|March 5, 2024"),
        ("1200", "一千二百元|1200|1,200|１，２００|1.2k"),
        ("12000", "1.2万|12,000|12000|一万二千"),
        ("3.5%", "3.5%|3.5 %|３．５％|3.5 percent"),
        ("e03", "E-03|E03|e-03|E_03|error E-03:"),
        ("frd740-3-7k", "FR-D740-3.7K|FRD740-3.7K|fr-d740-3.7k"),
        ("gbt19001", "GB/T 19001|GB/T19001"),
        ("user", "getUserName|the user"),
        ("3.5", "v3.5.1"),
    ],
)
def test_each_way_to_write_it_is_found_by_its_form(form: str, ways: str) -> None:
    for way in ways.split("|"):
        assert form in [*search_terms(way), *find_forms(way)], way


def test_a_date_written_with_slashes_may_be_either() -> None:
    assert {"2024-03-05", "2024-05-03"} <= set(find_forms("5/3/2024"))
    assert "2024-05-23" in set(find_forms("23/5/2024"))


@pytest.mark.parametrize(
    "text", ["13.13.2024", "page 5-3", "1.2.3", "May I come?", "a 10-2024 x", "version 3.2024"]
)
def test_what_is_no_date_has_no_form_of_one(text: str) -> None:
    assert not [form for form in find_forms(text) if form.count("-") >= 2]


@pytest.mark.parametrize(
    "text", ["and/or", "well-known", "3.5", "2024-03-05", "他/她", "end of line.", "the CEO 2021"]
)
def test_joined_words_and_figures_are_no_identifiers(text: str) -> None:
    assert find_identifiers(text) == {}


def test_numbers_of_models_stay_apart() -> None:
    codes = ["KV-30-3", "KV-303", "KV-20-3", "LT-RSMX150-4", "LT-RSMX150-2"]
    assert find_identifiers(" ".join(codes[:2])) == {"KV-30-3": "kv30-3", "KV-303": "kv303"}
    assert len({term for code in codes for term in find_identifiers(code).values()}) == len(codes)


def test_a_question_gets_the_whole_date_alone() -> None:
    assert list(find_forms("2024年3月5日", asked=True)) == ["2024-03-05"]
    assert list(find_forms("and/or well-known", asked=True)) == []
