"""What `rag search` shows of a hit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from rag import RAG
from rag.cli import rag
from rag.cli.found import lit_pieces, matched_words
from rag.types import Chunk


@pytest.mark.parametrize(
    ("text", "question", "lit"),
    [
        (
            "The boiler is covered for 36 months. Boilers of 2019 are not.",
            "How long is a boiler covered?",
            ["boiler", "covered", "Boilers"],
        ),
        ("设备保养周期为三个月。", "設備保養週期是多久？", ["设备保养周期"]),
        ("用Vue写的组件", "Vue 组件怎么写", ["Vue", "组件"]),
        ("A total of １,２００ euros.", "1200 euros", ["euros"]),
        ("Nothing of it.", "How long is the boiler covered?", []),
        ("", "boiler", []),
    ],
)
def test_the_words_of_the_question_are_lit_up(text: str, question: str, lit: list[str]) -> None:
    pieces = lit_pieces(text, question)
    assert [piece for piece, is_lit in pieces if is_lit] == lit
    assert "".join(piece for piece, _ in pieces) == text


def test_of_a_long_passage_the_part_that_has_them_is_shown() -> None:
    text = f"{'first word '}{'other ' * 200}the warranty lasts 24 months {'more ' * 200}"
    pieces = lit_pieces(text, "How long is the warranty?")
    shown = "".join(piece for piece, _ in pieces)
    assert ("warranty", True) in pieces
    assert shown.startswith("… other")
    assert "lasts 24 months" in shown
    assert len(shown) < 320
    assert lit_pieces(text, "nothing")[0][0].startswith("first word")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("When do I get the valves of a boiler?", ["valve", "Boiler"]),
        ("保養週期多久", ["保养周期"]),
        ("the manual of it", ["manual"]),
        ("nothing at all", []),
    ],
)
def test_the_words_that_match_are_listed_as_they_stand_there(question: str, words: list[str]) -> None:
    text = "A valve takes a week, another valve two. 保养周期为三个月。"
    chunk = Chunk("docs/manual.md", text, 0, len(text), heading=("Boiler X",))
    assert sorted(matched_words(chunk, question)) == sorted(words)


def test_search_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "boiler.md").write_text(
        "# Boiler X\n\n## Warranty\n\nA valve is covered for a year.\n", "utf-8"
    )
    (tmp_path / "synonyms.txt").write_text("guarantee = warranty\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAG_INDEX", "faiss:index")
    with RAG.open(embedder="hashed", llm="none") as opened:
        opened.ingest("docs")
    shown = CliRunner().invoke(rag, ["-v", "search", "guarantee of the valves"]).output
    assert "Searched as well: warranty of the valves" in shown
    assert "docs/boiler.md · Boiler X > Warranty" in shown
    assert re.search(r"meaning [\d.]+, words [\d.]+: Warranty, valve", shown)
    for question, said in (
        ("valve", "Nothing in the index matches the filter"),
        ("阀门", "没有符合过滤条件的内容"),
    ):
        assert said in CliRunner().invoke(rag, ["search", question, "--source", "other/*"]).output
