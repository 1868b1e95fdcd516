"""Turns of a conversation: which question is searched, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scripted import ScriptedLLM

from rag import RAG
from rag.chat import TURNS, Chat, leans, rewrite
from rag.embedders.hashed import HashedEmbedder
from rag.types import Answer

FIRST = "How long is the warranty of the Tern machine?"
FOLLOW = "Does it cover pumps?"
REWRITTEN = "Does the warranty of the Tern machine cover pumps and boilers?"


@pytest.fixture
def llm() -> ScriptedLLM:
    # Keyed by what stands in the prompt: the follow-up as it was typed only stands in the one for rewriting.
    return ScriptedLLM(
        {FOLLOW: REWRITTEN, REWRITTEN: "It covers pumps and boilers.", FIRST: "It lasts 24 months."}
    )


@pytest.fixture
def chat(index: str, hashed: HashedEmbedder, llm: ScriptedLLM) -> Iterator[Chat]:
    with RAG.open(index, embedder=hashed, llm=llm, strictness=0.2) as rag:
        yield rag.chat()


def test_a_first_question_is_asked_as_it_is(chat: Chat, llm: ScriptedLLM) -> None:
    answer = chat.ask("Does it lasts 24 months?")
    assert chat.asked == answer.question == "Does it lasts 24 months?"
    assert len(llm.prompts) == 1
    assert chat.history == [answer]


def test_a_follow_up_is_made_to_stand_alone(chat: Chat, llm: ScriptedLLM) -> None:
    first = chat.ask(FIRST)
    assert first.text == "It lasts 24 months. [1]"
    second = chat.ask(FOLLOW)
    assert chat.asked == REWRITTEN
    assert second.question == FOLLOW
    assert second.text == "It covers pumps and boilers. [1]"
    assert chat.history == [first, second]
    rewriting = llm.prompts[1]
    assert FIRST in rewriting
    assert "It lasts 24 months." in rewriting
    assert "[1]" not in rewriting


def test_a_question_that_stands_alone_is_left_alone(chat: Chat, llm: ScriptedLLM) -> None:
    chat.ask(FIRST)
    chat.ask("When does the car park beside the office open?")
    assert chat.asked == "When does the car park beside the office open?"
    assert len(llm.prompts) <= 2


def test_streamed(chat: Chat) -> None:
    *pieces, answer = chat.stream(FIRST)
    assert isinstance(answer, Answer)
    assert "".join(map(str, pieces)) == answer.text
    assert chat.history == [answer]


def test_an_answer_that_was_stopped_is_not_kept(chat: Chat) -> None:
    stream = chat.stream(FIRST)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert chat.history == []


def test_a_new_conversation(chat: Chat, llm: ScriptedLLM) -> None:
    chat.ask(FIRST)
    chat.new()
    assert chat.history == []
    asked = len(llm.prompts)
    chat.ask(FOLLOW)
    assert chat.asked == FOLLOW
    assert len(llm.prompts) <= asked + 1


def test_only_the_last_turns_are_read(chat: Chat, llm: ScriptedLLM) -> None:
    for n in range(TURNS + 2):
        chat.ask(f"Number {n}: how long is the warranty?")
    chat.ask(FOLLOW)
    rewriting = next(prompt for prompt in llm.prompts if FOLLOW in prompt)
    assert "Number 0:" not in rewriting
    assert "Number 1:" not in rewriting
    assert f"Number {TURNS + 1}:" in rewriting


def test_without_a_model_the_question_before_is_searched_too(rag: RAG) -> None:
    chat = rag.chat()
    chat.ask("保修期是多久？")
    chat.ask("那运费呢？")
    assert chat.asked == "保修期是多久？ 那运费呢？"


@pytest.mark.parametrize(
    "question",
    [
        "And that one?", "What about boilers?", "Why?", "How much is it?", "And in Leeds?", "Does it cover pumps?",
        "那第二个呢？", "它多少钱？", "还有吗？", "为什么？", "这个怎么清洗？", "运费呢",
    ],
)  # fmt: skip
def test_questions_that_lean(question: str) -> None:
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    ["How long is the warranty of the Tern machine?", "When does the car park in Leeds open on Sundays?",
     "燕鸥咖啡机的保修期是多久？"],
)  # fmt: skip
def test_questions_that_stand_alone(question: str) -> None:
    assert not leans(question)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('"What is the fee?"\nBecause of that.', "What is the fee?"),
        ("", "And it?"),
        (" \n", "And it?"),
        ("word " * 100, "And it?"),
        ("“保修期多久？”", "保修期多久？"),
    ],
)
def test_rewriting(reply: str, expected: str) -> None:
    turn = Answer("What?", "This. [1]", False)
    assert rewrite(ScriptedLLM(otherwise=reply), [turn], "And it?") == expected
