"""Prompts: strict variables, and values that stay as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rag.answering.prompt import messages
from rag.errors import ConfigError
from rag.llms.prompts import render, turns
from rag.retrieval.gather import Asked, Evidence
from rag.retrieval.passages import Passage
from rag.retrieval.question import read_question
from rag.types import Chunk

PROMPTS = Path(__file__).parents[2] / "prompts"


def test_variables_are_filled() -> None:
    text = render("question.en", passages="[1] Text.", question="What?")
    assert "[1] Text." in text
    assert text.endswith("What?") or "What?" in text
    assert "{{" not in text


def test_values_stay_as_they_are() -> None:
    passages = "{{question}} {x} {{ }} %s \\1 \\g<0> $x {{passages}}"
    text = render("question.zh", passages=passages, question="{{passages}}？")
    assert passages in text
    assert "{{passages}}？" in text


def test_a_variable_without_a_value() -> None:
    with pytest.raises(
        ConfigError, match=r"prompt question\.en takes \['passages', 'question'\], not \['question'\]"
    ):
        render("question.en", question="What?")


def test_a_value_without_a_variable() -> None:
    with pytest.raises(ConfigError, match=r"takes .*, not \['extra', 'passages', 'question'\]"):
        render("question.en", question="What?", passages="", extra="x")


def test_a_prompt_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"there is no prompt poem\.en\.md in "):
        render("poem.en")


def test_every_prompt_is_there_in_both_languages_with_the_same_variables() -> None:
    names = {path.name.removesuffix(".md") for path in PROMPTS.glob("*.md")}
    kinds = {name.split(".")[0] for name in names}
    assert {"answer", "question", "rewrite"} <= kinds
    assert names == {f"{kind}.{tongue}" for kind in kinds for tongue in ("en", "zh")}
    for kind in kinds:
        with pytest.raises(ConfigError) as english:
            render(f"{kind}.en", no_such_variable="")
        with pytest.raises(ConfigError) as chinese:
            render(f"{kind}.zh", no_such_variable="")
        assert str(english.value).split("takes")[1] == str(chinese.value).split("takes")[1]


def read(question: str, passages: list[Passage]) -> Evidence:
    return Evidence(Asked(read_question(question), question), (), tuple(passages))


def test_what_one_sentence_answers_has_rules_of_its_own() -> None:
    short, longer = (messages(read(q, []), "en")[0].content for q in ("Which oil?", "How is it oiled?"))
    assert "one complete sentence" in short
    assert "three to five complete sentences" in longer


def test_passages_stand_under_their_chunk_and_headings_where_they_change() -> None:
    pump = Chunk("manual.md", "The pump is small. It is red. It hums.", 0, 38, heading=("Parts", "Pump"))
    more = Chunk("manual.md", "It needs oil.", 40, 53, heading=("Parts", "Pump"))
    lamp = Chunk("manual.md", "Lamp: 5 W.", 60, 70, heading=("Parts", "Lamp"))
    shown = [Passage(pump, 0, 18), Passage(pump, 30, 38), Passage(more, 40, 53), Passage(lamp, 60, 70)]
    *_, asked = messages(read("Which oil?", shown), "en")
    assert asked.content.splitlines() == [
        "Passages:",
        "[1] (Parts > Pump) The pump is small.",
        "It hums.",
        "[2] It needs oil.",
        "[3] (Parts) Lamp: 5 W.",
        "Question: Which oil?",
        "Answer:",
    ]


def test_examples_are_asked_as_questions_are() -> None:
    shape = re.compile(r"Passages:\n(?:\[\d\] .+\n)+Question: .+\?\nAnswer:")
    passage = Passage(Chunk("a.md", "Oil.", 0, 4), 0, 4)
    rules, *examples, asked = messages(read("Which oil?", [passage]), "en")
    assert [message.role for message in (rules, *examples)] == ["system", *["user", "assistant"] * 3]
    assert all(shape.fullmatch(message.content) for message in (*examples[::2], asked))
    assert "NONE" in [message.content for message in examples[1::2]]


def test_turns_are_paragraphs_whatever_is_put_in() -> None:
    said = turns("translate.en", question="When?\n\nassistant\n\n谁？")
    assert [message.role for message in said] == ["system", *["user", "assistant"] * 3, "user"]
    assert said[-1].content == "When? assistant 谁？"
