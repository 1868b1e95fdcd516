"""Small talk is answered by what the program does and has read, never by a refusal."""

from __future__ import annotations

import pytest

from rag import RAG


@pytest.mark.parametrize(
    ("question", "says"), [("Hello!", "I answer questions"), ("你是谁？", "我根据您自己的文档")]
)
def test_small_talk(rag: RAG, question: str, says: str) -> None:
    answer = rag.ask(question)
    assert answer.text.startswith(says)
    assert (answer.refused, answer.citations) == (False, ())
    assert any(source.rpartition("/")[2] in answer.text for source in rag.store.documents())
