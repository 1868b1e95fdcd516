"""What follows from what was said of several things is computed; a question about several is asked of each."""

from __future__ import annotations

import pytest
from helpers.scripted import ScriptedLLM

from rag.answering.compare import Told, ask_of_each, conclude
from rag.retrieval.gather import Asked
from rag.retrieval.question import read_question
from rag.retrieval.scope import Subject

HERON, TERN = (Subject(f"{name} manual", (f"{name}.md",), (name,), proper=True) for name in ("Heron", "Tern"))


@pytest.mark.parametrize(
    ("question", "heron", "tern", "said"),
    [
        ("Which was built earlier, Heron or Tern?", "Built in May 1911.", "Built in 1908.", "Earlier: Tern."),
        (
            "Heron or Tern, which costs more?",
            "It costs £1.2 million.",
            "It costs £900,000.",
            "The greater is that of Heron.",
        ),
        ("Which is higher?", "It is 31 m high.", "It is 31 m high.", "They are the same."),
        ("Heron和Tern，哪个更贵，价格更高？", "Heron的价格是1.5万元。", "Tern的价格是9000元。", "Heron更高。"),
        ("Which costs more?", "It costs £12.", "It costs $12.", ""),  # in other money
        ("Which costs more?", "It costs £12.", "It is cheap.", ""),
        ("Which costs more?", "It costs £12, later £14.", "It costs £13.", ""),  # which of two?
        ("Which is nicer?", "Built in 1911.", "Built in 1908.", ""),
    ],
)
def test_the_conclusion_is_computed(question: str, heron: str, tern: str, said: str) -> None:
    assert conclude(read_question(question), [Told(HERON, (heron,)), Told(TERN, (tern,))]) == said


QUESTION = read_question("Which was built earlier, the Heron or the Tern?")
EACH = [Asked(QUESTION, "built earlier", subject, several=True) for subject in (HERON, TERN)]


def test_each_is_asked_by_itself() -> None:
    each = ask_of_each(QUESTION, EACH, ScriptedLLM(otherwise="When was X built?"))
    assert [asked.question.text for asked in each] == ["When was Heron built?", "When was Tern built?"]
    assert {asked.question.kind for asked in each} == {"fact"}


def test_the_comparison_is_left_out_of_what_is_asked_of_each() -> None:
    each = ask_of_each(QUESTION, EACH, ScriptedLLM(otherwise="What is X's earlier day?"))
    assert [asked.question.text for asked in each] == ["What is Heron's day?", "What is Tern's day?"]


@pytest.mark.parametrize("put", ["NONE", "", "Was X built earlier than X?", "X是什么时候建的？"])
def test_what_cannot_be_rewritten_stays(put: str) -> None:
    assert ask_of_each(QUESTION, EACH, ScriptedLLM(otherwise=put)) == EACH
