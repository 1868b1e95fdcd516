"""Questions for several things, and those for one."""

from __future__ import annotations

import tomllib

import pytest
from conftest import ROOT

from rag.retrieval.split import MOST, split_question

QUESTIONS = tomllib.loads((ROOT / "data/questions.toml").read_text(encoding="utf-8"))["question"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "What is the limit in London, and who owns the policy?",
            ["What is the limit in London?", "Who owns the policy?"],
        ),
        ("How deep is it? Who built it?", ["How deep is it?", "Who built it?"]),
        (
            "What is the limit for London and Paris, respectively?",
            ["What is the limit for London?", "What is the limit for Paris?"],
        ),
        (
            "How much do the Tern 1 and the Tern 2 weigh each?",
            ["How much do the Tern 1 weigh?", "How much do the Tern 2 weigh?"],
        ),
        ("燕鸥 1 和苍鹭 Pro 的保修期分别是多久？", ["燕鸥 1的保修期是多久？", "苍鹭 Pro的保修期是多久？"]),
        ("杭州、湖州和利兹分别有多少人？", ["杭州有多少人？", "湖州有多少人？", "利兹有多少人？"]),
        ("项目的东段和西段分别在哪里？", ["项目的东段在哪里？", "项目的西段在哪里？"]),
        ("水箱多大，净重多少？", ["水箱多大？", "净重多少？"]),
        ("年假有几天？病假呢？", ["年假有几天？", "病假呢？"]),
    ],
)  # fmt: skip
def test_questions_of_several_parts(question: str, expected: list[str]) -> None:
    assert split_question(question) == expected


@pytest.mark.parametrize(
    "question",
    [
        "Who founded the company and when?", "What are salt and pepper?",
        "In which year, and not earlier, was it built?", "在哪一年，公司搬到了杭州？", "如果机器坏了，谁来修？",
        "非洲野驴与亚洲野驴的分别是什么？", "And the Heron Pro? (asked after: How long is the warranty?)",
        "那苍鹭 Pro 呢？（上一问：燕鸥 1 的保修期是多久？）", "", "?", "什么是酸、甜、苦和辣？",
        *(question["question"] for question in QUESTIONS),
    ],
)  # fmt: skip
def test_questions_of_one_part(question: str) -> None:
    assert split_question(question) == [question]


def test_a_long_list_is_one_question() -> None:
    question = " ".join(f"Who is number {n}?" for n in range(MOST + 1))
    assert split_question(question) == [question]
