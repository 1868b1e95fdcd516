"""What `rag search` shows of a hit."""

from __future__ import annotations

import pytest

from rag.cli.found import lit_pieces


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
