"""A misspelt word finds what was meant, where the word itself is nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rag import RAG
from rag.retrieval.typos import find_missing, mend_terms
from rag.text import chunk_terms, search_terms
from rag.text.homophones import homophones
from rag.types import Chunk

TEXT = "You receive a replacement valve under warranty. The separate invoice is sent to the accommodation address."


def rarities(terms: Sequence[str]) -> list[float]:
    held = set(search_terms(TEXT))
    return [0.5 if term in held else 1.0 for term in terms]


def chunk_of(text: str) -> Chunk:
    return Chunk("a.txt", text, 0, len(text))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("When do I recieve the invoice", "When do I receive the invoice"),
        ("Is the warrenty for a valve", "Is the warranty for a valve"),
        ("the accomodation address", "the accommodation address"),
        ("a seperate invoice", "a separate invoice"),
        ("the invoices adress", "the invoice address"),
    ],
)
def test_one_wrong_letter_is_mended(asked: str, meant: str) -> None:
    assert mend_terms(search_terms(asked), rarities) == search_terms(meant)


@pytest.mark.parametrize(
    "asked",
    [
        "When do I receive the invoice",
        "Is the warranty for a hippopotamus",  # nothing like it is there
        "the vlave of E-04 costs 12",  # too short to be sure
        "Wann kommt meine Rechung",  # another language
        "密马在哪里",  # nothing like it is there
    ],
)
def test_all_else_is_left_as_it_is(asked: str) -> None:
    assert mend_terms(search_terms(asked), rarities) == search_terms(asked)


CHINESE = "登录密码由财务部发放，费用报销须在三十天内提交。账号被锁定时请联系管理员。"


def chinese_rarities(terms: Sequence[str]) -> list[float]:
    held = set(search_terms(CHINESE))
    return [0.5 if term in held else 1.0 for term in terms]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("密马", "密码"),
        ("登录密马", "登录密码"),
        ("怎么抱销费用", "怎么报销费用"),
        ("帐号锁定", "账号锁定"),
        ("登陆密码", "登录密码"),
    ],
)
def test_a_character_that_sounds_alike_is_mended(asked: str, meant: str) -> None:
    assert mend_terms(search_terms(asked), chinese_rarities) == search_terms(meant)


@pytest.mark.parametrize(
    "asked",
    [
        "登录密码",
        "锁定账号",
        "长颈鹿吃什么",  # about other things
        "会议室预定流程密马登录账号锁定怎么办",  # a long one is found by its other words
    ],
)
def test_other_chinese_is_left_as_it_is(asked: str) -> None:
    assert mend_terms(search_terms(asked), chinese_rarities) == search_terms(asked)


def test_characters_that_sound_alike() -> None:
    assert set("码妈") <= set(homophones("马"))
    assert "马" not in homophones("马")
    assert homophones("A") == homophones("龘") == ""


def test_an_identifier_that_is_nowhere_is_named() -> None:
    held = set(chunk_terms(chunk_of("Valve KV-20-3 of GB/T19001 throws e03; see docs/setup.md.")))

    def rarities(terms: Sequence[str]) -> list[float]:
        return [0.5 if term in held else 1.0 for term in terms]

    assert find_missing("Is KV-20-3 or KV-30-3 under GB/T 19001?", rarities) == ["KV-30-3"]
    assert find_missing("Does E-03 say docs/setup.md, and/or E-04 docs/run.md?", rarities) == [
        "E-04",
        "docs/run.md",
    ]
    assert find_missing("Is it well-known in 2024-03-05?", rarities) == []


def test_a_misspelt_question_scores_as_the_right_one(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text(TEXT, "utf-8")
    (docs / "b.txt").write_text("Something else entirely is written in this file.", "utf-8")
    with RAG.open(f"faiss:{tmp_path}/index", embedder="hashed", llm="none") as rag:
        rag.ingest(docs)
        right, wrong = (rag.search(f"who will {word} the valve", 1)[0] for word in ("receive", "recieve"))
    assert wrong.chunk.source == "docs/a.txt"
    assert wrong.lexical == right.lexical
