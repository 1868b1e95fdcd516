"""What are these documents about? The sources, not the nearest passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import RAG, Where
from rag.answering.overview import MOST, overview
from rag.retrieval.kinds import kind_of


@pytest.mark.parametrize(
    "question",
    [
        "What are these documents about?",
        "what is this folder about",
        "Which files do you have?",
        "What do the files cover?",
        "Summarise these documents.",
        "What can I ask?",
        "What is in my documents?",
        "这些文档讲什么？",
        "这些文件都讲了些什么？",
        "文档里有什么内容？",
        "有哪些文档？",
        "你有什么资料？",
        "总结一下这些文档",
        "知识库里有哪些内容？",
    ],
)
def test_questions_about_the_documents(question: str) -> None:
    assert kind_of(question) == "files"


@pytest.mark.parametrize(
    "question",
    [
        "What documents do I need to travel?",
        "Where are the files kept?",
        "What is the index of prices?",
        "文件编号是什么？",
        "报销需要什么资料？",
        "What are these machines about?",
        "遗失票据要填什么文件？",
        "",
    ],
)
def test_questions_about_something_else(question: str) -> None:
    assert kind_of(question) != "files"


@pytest.mark.parametrize("question", ["What are these documents about?", "这些文档讲什么？"])
def test_every_source_is_named_and_cited(rag: RAG, question: str) -> None:
    answer = rag.ask(question)
    assert not answer.refused
    assert [c.source for c in answer.citations] == sorted(rag.store.documents())
    lines = answer.text.splitlines()
    assert lines[0] == ("There are 4 documents:" if question.isascii() else "共 4 份文档：")
    assert len(lines) == 5
    assert "Office (notes/office.md): Parking, Kitchen" in answer.text
    for n, (line, citation) in enumerate(zip(lines[1:], answer.citations, strict=True), 1):
        assert line.endswith(f"[{n}]")
        hit = answer.hits[n - 1].chunk
        assert hit.position == 0
        assert hit.text[citation.start - hit.start : citation.end - hit.start] == citation.quote


@pytest.mark.parametrize("question", ["Which files are about parking?", "哪些文档提到了保修？"])
def test_files_by_subject(rag: RAG, question: str) -> None:
    wanted = "notes/office.md" if question.isascii() else "notes/保修.md"
    answer = rag.ask(question)
    assert answer.citations[0].source == wanted
    assert len(answer.citations) < len(rag.store.documents())
    assert rag.ask("Which files are about yodelling?").refused


def test_a_filter_counts(rag: RAG) -> None:
    answer = rag.ask("What are these documents about?", Where(type="csv"))
    assert [c.source for c in answer.citations] == ["notes/people.csv"]
    assert answer.text.startswith("There is 1 document:\n- people (notes/people.csv): ")
    assert rag.ask("What are these documents about?", Where(source="nothing/*")).refused


def test_of_many_sources_some_are_shown_and_all_counted(rag: RAG, tree: object) -> None:
    folder: Path = tree({f"a[{n:02}].md": f"# Note {n}\n\nThis is note {n}.\n" for n in range(MOST + 5)}, "many")  # type: ignore[operator]
    rag.ingest(folder)
    total, entries = overview(rag.store, rag.embedder, "What?", Where(source="many/*"))
    assert (total, len(entries)) == (MOST + 5, MOST)
    assert [entry.title for entry in entries[:3]] == ["Note 0", "Note 1", "Note 2"]
    text = rag.ask("这些文档讲什么？").text
    assert text.startswith(f"共 {MOST + 9} 份文档，以下是其中 {MOST} 份：")
