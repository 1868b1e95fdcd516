"""A question read once: its kind, on two hundred written ones, and which documents it names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from rag.retrieval.kinds import kind_of
from rag.retrieval.question import read_question
from rag.retrieval.scope import about_one, literal, named_documents, without_subjects
from rag.types import Chunk

QUESTIONS = tomllib.loads(Path(__file__).with_name("kinds.toml").read_text(encoding="utf-8"))["question"]
TITLES = {
    "a.txt": "Harbour Logistics Ltd.",
    "b.txt": "Northfield Dairy Inc.",
    "c.txt": "St. Anne Hospital_K. Moreau",
    "d.txt": "St. Anne Hospital_B. Quist",
    "e.txt": "清河精密仪器有限公司",
    "f.txt": "白桥物流有限公司",
    "g.txt": "Props",
    "h.txt": "Travel expenses",
}
CHUNKS = [Chunk(source, "Some text.", 0, 10, heading=(title,)) for source, title in TITLES.items()]


def test_kinds_of_written_questions() -> None:
    """Nine of ten; a wrong kind costs form, never truth."""
    wrong = [q["q"] for q in QUESTIONS if kind_of(q["q"]) not in (q["kind"], *q.get("also", ()))]
    assert len(wrong) <= len(QUESTIONS) / 10, wrong


@pytest.mark.parametrize(("question", "short"), [("Who owns it?", True), ("How is it oiled?", False)])
def test_what_one_sentence_answers(question: str, short: bool) -> None:
    assert read_question(question).is_short is short


@pytest.mark.parametrize(
    ("question", "sources", "proper"),
    [
        ("What did Harbour Logistics Ltd. pay in 2019?", ["a.txt"], True),
        ("Did Northfield Dairy or Harbour Logistics pay more?", ["a.txt", "b.txt"], True),
        ("What is the complaint of K. Moreau at St. Anne Hospital?", ["c.txt"], True),
        ("清河精密仪器有限公司的总资产是多少？", ["e.txt"], True),
        ("比较清河精密仪器有限公司和白桥物流有限公司的利润。", ["e.txt", "f.txt"], True),
        ("How are props declared?", ["g.txt"], False),
        ("What is the weather like?", [], False),
    ],
)
def test_documents_that_a_question_names(question: str, sources: list[str], proper: bool) -> None:
    named = named_documents(question, CHUNKS)
    assert sorted(source for subject in named for source in subject.sources) == sources
    assert all(subject.proper is proper for subject in named)


def test_a_question_about_two_asked_of_one() -> None:
    question = "What are the sales of Harbour Logistics and Northfield Dairy?"
    named = named_documents(question, CHUNKS)
    (dairy,) = (subject for subject in named if subject.sources == ("b.txt",))
    others = [subject for subject in named if subject is not dairy]
    assert about_one(question, dairy, others) == "What are the sales of Northfield Dairy?"


def test_inside_a_document_its_name_tells_nothing() -> None:
    question = "What did Harbour Logistics Ltd. pay in 2019?"
    assert without_subjects(question, named_documents(question, CHUNKS)) == "What did pay in 2019?"
    bare = "Harbour Logistics Ltd.?"
    assert without_subjects(bare, named_documents(bare, CHUNKS)) == bare


def test_a_source_with_signs_of_a_pattern_is_taken_to_the_letter() -> None:
    assert literal("notes [1]*.md") == "notes [[]1][*].md"


@pytest.mark.parametrize(
    ("question", "sought"),
    [
        ("Summarise how slots work.", "how slots work."),
        ("Can you give me an overview of the curriculum?", "of the curriculum?"),
        ("Why was my application rejected?", "was my application rejected?"),
        ("为什么要交学费？", "要交学费？"),
        ("标准版和专业版有什么区别？", "标准版和专业版有什么区别？"),
        ("会议纪要的要点", "会议纪要的"),
        ("How long is the warranty?", "How long is the warranty?"),
        ("Summarise.", "Summarise."),
    ],
)
def test_the_words_that_only_ask(question: str, sought: str) -> None:
    assert read_question(question).sought.strip().removeprefix("an ").strip() == sought
