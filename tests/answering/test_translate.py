"""A question in one language, documents in the other: what is taken of a model's translation, and what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.scripted import ScriptedLLM, SmallScriptedLLM

from rag import RAG
from rag.answering.translate import translate_claim, translate_question
from rag.embedders.hashed import HashedEmbedder
from rag.grounding.refusal import REFUSAL
from rag.types import Answer

ENGLISH = "The museum opened in 1852. The director of the museum was Henry Cole. Entry is free."


@pytest.mark.parametrize(
    ("question", "said", "taken"),
    [
        ("When did the museum open?", "博物馆是什么时候开放的？", True),
        ("When did the museum open?", "博物馆是什么时候开放的？\n它于1852年开放。", True),
        ("When did the museum open?", "博物馆于1852年开放。", False),  # an answer from memory
        ("When did the museum open?", "When was it opened?", False),  # no translation
        ("Was it open in 1852?", "它1852年开放吗？", True),
        ("Was it open in 1852?", "它1862年开放吗？", False),  # another number
        ("博物馆是什么时候开放的？", "When did the museum open?", True),
        ("博物馆是什么时候开放的？", "Did the museum open?", False),  # it asks for nothing
        ("博物馆是什么时候开放的？", "", False),
    ],
)
def test_only_the_same_question_is_taken(question: str, said: str, taken: bool) -> None:
    assert translate_question(question, ScriptedLLM(otherwise=said)) == (said.splitlines()[0] if taken else "")


class Alike(HashedEmbedder):
    """Finds that everything means the same."""

    def embed_documents(self, texts):  # type: ignore[no-untyped-def]
        return super().embed_documents(["same"] * len(texts))

    embed_queries = embed_documents


@pytest.mark.parametrize(
    ("claim", "tongue", "said", "shown"),
    [
        ("19世纪", "en", "19th century", "19th century (19世纪)"),
        ("because of the rain", "zh", "由于下雨。", "由于下雨（because of the rain）"),
        ("一千万", "en", "a million", "一千万"),  # another number
        ("the rain", "zh", "rain", "the rain"),  # no translation
        ("17 km", "zh", "17公里", "17公里（17 km）"),
        ("Henry Cole", "zh", "亨利·科尔", "Henry Cole"),  # names stay as they are written
        ("1,852.5", "zh", "一千", "1,852.5"),
        ("1852年", "zh", "十", "1852年"),
        ("雨", "en", "", "雨"),
    ],
)
def test_an_answer_is_told_beside_the_words_of_the_document(
    claim: str, tongue: str, said: str, shown: str
) -> None:
    assert translate_claim(claim, tongue, ScriptedLLM(otherwise=said), Alike()) == shown


def test_what_means_something_else_is_not_told() -> None:
    assert translate_claim("雨水", "en", ScriptedLLM(otherwise="a card"), HashedEmbedder()) == "雨水"


def asked(question: str, llm: ScriptedLLM, tmp_path: Path) -> Answer:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "museum.txt").write_text(ENGLISH, encoding="utf-8")
    with RAG.open(f"faiss:{tmp_path}/index", embedder=Alike(), llm="none", strictness=0.1) as rag:
        rag.ingest(folder)
        *_, answer = replace(rag.answerer, llm=llm).stream(question)
    assert isinstance(answer, Answer)
    return answer


def test_a_small_model_is_asked_in_the_language_of_the_documents(tmp_path: Path) -> None:
    script = {
        "把每个问题翻译成英文": "Who was the director of the museum?",
        "Question: Who was the director of the museum?": "Henry Cole",
    }
    llm = SmallScriptedLLM(script)
    answer = asked("谁是博物馆的馆长？", llm, tmp_path)
    assert answer.text == "Henry Cole [1]"
    assert answer.short == "Henry Cole"
    assert len(llm.prompts) == 2


def test_a_larger_model_reads_both(tmp_path: Path) -> None:
    llm = ScriptedLLM({"问题：谁是博物馆的馆长？": "Henry Cole"})
    answer = asked("谁是博物馆的馆长？", llm, tmp_path)
    assert "Henry Cole" in answer.text
    assert len(llm.prompts) == 1


def test_without_a_translation_the_question_is_asked_as_it_is(tmp_path: Path) -> None:
    script = {"把每个问题翻译成英文": "博物馆", "问题：谁是博物馆的馆长？": "无"}
    llm = SmallScriptedLLM(script)
    assert asked("谁是博物馆的馆长？", llm, tmp_path).text == REFUSAL["zh"]
    assert len(llm.prompts) == 2
