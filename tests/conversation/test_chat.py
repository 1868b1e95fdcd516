"""Turns of a conversation: which question is searched, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from helpers.scripted import ScriptedLLM

from rag import RAG
from rag.conversation.chat import Chat, rewrite
from rag.embedders.hashed import HashedEmbedder
from rag.llms.profile import LARGE
from rag.llms.prompts import render
from rag.types import Answer, Where

FIRST = "How long is the warranty of the Tern machine?"
FOLLOW = "Does it cover pumps?"
REWRITTEN = "Does the warranty of the Tern machine cover pumps?"


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
    assert "It lasts 24 months" in rewriting
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


def test_the_oldest_turns_are_left_out(chat: Chat, llm: ScriptedLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.llms.profile.LARGE", replace(LARGE, history=40))
    for n in range(6):
        chat.ask(f"Number {n}: how long is the warranty of the Tern machine?")
    chat.ask(FOLLOW)
    rewriting = next(prompt for prompt in llm.prompts if "Last question: " + FOLLOW in prompt)
    assert "Number 0:" not in rewriting
    assert "Number 5:" in rewriting
    assert render("rewrite.en") in rewriting
    assert llm.count_tokens(rewriting) < llm.count_tokens(render("rewrite.en")) + 40 + 20


def test_without_a_model_the_question_before_is_searched_too(rag: RAG) -> None:
    chat = rag.chat()
    chat.ask("保修期是多久？")
    answer = chat.ask("那运费呢？")
    assert answer.asked == chat.asked == "那运费呢？（上一问：保修期是多久？）"
    assert any("运费" in hit.chunk.text for hit in answer.hits)
    assert chat.ask("那退货呢？").asked == "那退货呢？（上一问：保修期是多久？ 那运费呢？）"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('"How long is the warranty of the boiler?"\nBecause of that.', "How long is the warranty of the boiler?"),
        ("", ""),
        (" \n", ""),
        ("word " * 100, ""),
        ("And the boiler?", ""),  # leans as before
        ("How long is the warranty?", ""),  # the question before, once more
        ("How long is the warranty of the pump?", ""),  # another thing
        ("How long is the boiler of the mayor of Ulm under warranty?", ""),  # adds what nobody said
    ],
)
def test_rewriting(reply: str, expected: str) -> None:
    turn = Answer("How long is the warranty?", "24 months. [1]", False)
    assert rewrite(ScriptedLLM(otherwise=reply), [turn], "And the boiler?") == expected


def test_a_rewriting_that_is_not_taken_is_made_without_the_model(chat: Chat, llm: ScriptedLLM) -> None:
    llm.script = {"Last question": "What is the capital of France?", FIRST: "It lasts 24 months."}
    chat.ask(FIRST)
    answer = chat.ask(FOLLOW)
    assert answer.asked == f"{FOLLOW} (asked after: {FIRST})"
    assert "France" not in llm.prompts[-1]


def test_a_conversation_keeps_to_its_sources(rag: RAG) -> None:
    chat = rag.chat(Where("notes/office.md"))
    for question in ("How long is the warranty?", "When does the car park open?"):
        assert {hit.chunk.source for hit in chat.ask(question).hits} <= {"notes/office.md"}
    assert chat.history[-1].hits
