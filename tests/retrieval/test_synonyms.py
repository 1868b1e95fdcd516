"""Words of the house: a question is searched in each of its wordings, and the best of them counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag import RAG
from rag.errors import ConfigError
from rag.retrieval.synonyms import Synonyms, read_synonyms

HOUSE = Synonyms([["报销", "费用报销"], ["SLA", "service level agreement"], ["PTO", "annual leave", "holiday"]])


@pytest.mark.parametrize(
    ("question", "others"),
    [
        ("报销要多久？", ["费用报销要多久?"]),
        ("費用報銷要多久", ["报销要多久"]),
        ("What does the sla say?", ["What does the service level agreement say?"]),
        ("Is there a Service  Level Agreement", ["Is there a SLA"]),
        ("ＳＬＡ在哪里", ["service level agreement在哪里"]),
        ("PTO?", ["annual leave?", "holiday?"]),
        ("SLAs and slate", []),  # a word, not a part of one
        ("ı İ", []),
        ("保修期多久", []),
    ],
)
def test_wordings(question: str, others: list[str]) -> None:
    assert HOUSE.wordings(question) == [question, *others]


def test_several_words_are_exchanged_together_and_there_is_an_end() -> None:
    assert HOUSE.wordings("SLA for PTO") == [
        "SLA for PTO",
        "SLA for annual leave",
        "SLA for holiday",
        "service level agreement for PTO",
    ]


def test_a_file_of_synonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_synonyms("").wordings("SLA") == ["SLA"]
    file = tmp_path / "synonyms.txt"
    file.write_text("# of the house\n\nSLA = service level agreement  # IT\n报销＝费用报销\n", "utf-8")
    assert read_synonyms("").wordings("SLA") == ["SLA", "service level agreement"]
    assert read_synonyms("synonyms.txt").wordings("报销") == ["报销", "费用报销"]
    file.write_text("SLA = terms of service\n", "utf-8")
    os.utime(file, ns=(1, 1))
    assert read_synonyms("").wordings("SLA") == ["SLA", "terms of service"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = b\nservice level\n", "line 2"),
        (b"a = \n", "line 1"),
        ("报销=费用".encode("gb18030"), "UTF-8"),
        (b"a = b\n" * 50_000, "200000"),
    ],
)
def test_a_file_that_is_no_list_of_synonyms(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        read_synonyms(str(tmp_path / "s.txt"))
    with pytest.raises(ConfigError, match="cannot be read"):
        read_synonyms(str(tmp_path / "missing.txt"))


def test_both_searches_use_them(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("The service level agreement promises an answer within four hours.", "utf-8")
    (docs / "b.txt").write_text("Slatkin promises an answer to nobody within a week of asking.", "utf-8")
    (docs / "c.txt").write_text("费用报销须在三十天内提交。", "utf-8")
    (tmp_path / "house.txt").write_text("SLA = service level agreement\n报账 = 费用报销\n", "utf-8")
    with RAG.open(f"faiss:{tmp_path}/index", embedder="hashed", llm="none") as rag:
        rag.ingest(docs)
        full, chinese = (rag.search(text, 1)[0] for text in ("the service level agreement", "费用报销"))
    with RAG.open(f"faiss:{tmp_path}/index", llm="none", synonyms=f"{tmp_path}/house.txt") as rag:
        hit = rag.search("the SLA", 1)[0]
        assert (hit.source, hit.score) == ("docs/a.txt", full.score)
        assert (hit.dense, hit.lexical) == (full.dense, full.lexical)
        assert rag.search("报账", 1)[0].score == chinese.score
        assert rag.search("within a week", 1)[0].source == "docs/b.txt"
