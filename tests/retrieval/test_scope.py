"""Names that a question gives beside those of documents, and what it asks of each of them."""

from __future__ import annotations

import pytest

from rag.retrieval.scope import Subject, about_one, with_companions
from rag.types import Chunk

MILLS = {
    "mills/oak.txt": ("Oak Mill", "Oak Mill. Miller: J. Stone, born 1702. Grain is ground on Mondays."),
    "mills/elm.txt": ("Elm Mill", "Elm Mill. Miller: Ada Brook, born 1711. Its wheel was mended in 1730."),
    "磨坊/东.txt": ("城东磨坊", "城东磨坊。磨坊主：赵某某，四十岁。"),
    "磨坊/西.txt": ("城西磨坊", "城西磨坊。磨坊主：宋某，五十岁。"),
}


def named(question: str) -> list[Subject]:
    chosen = [
        Subject(title, (source,), (title,), True) for source, (title, _) in MILLS.items() if title in question
    ]
    chunks = [Chunk(source, text, 0, len(text), heading=(title,)) for source, (title, text) in MILLS.items()]
    return with_companions(question, chosen, chunks)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Of Oak Mill and Elm Mill, who is older, J. Stone or Ada Brook?", ["J. Stone", "Ada Brook"]),
        ("根据城东磨坊和城西磨坊的记录，赵某某和宋某的年龄谁更大？", ["赵某某", "宋某"]),
        ("Were Oak Mill and Elm Mill built by Romans and Celts?", [None, None]),
        ("Of Oak Mill and Elm Mill, who is older, Ada Brook or J. Stone?", ["J. Stone", "Ada Brook"]),
        ("Who is J. Stone of Oak Mill?", [None]),
    ],
)  # fmt: skip
def test_whose_a_name_is(question: str, names: list[str | None]) -> None:
    found = named(question)
    assert [subject.names[1] if len(subject.names) > 1 else None for subject in found] == names


def test_what_is_asked_of_one() -> None:
    question = "根据城东磨坊和城西磨坊的记录，赵某某和宋某分别多少岁？"
    east, west = named(question)
    assert about_one(question, east, [west]) == "根据城东磨坊的记录，赵某某多少岁？"
    assert about_one(question, west, [east]) == "根据城西磨坊的记录，宋某多少岁？"
    question = "How old are J. Stone and Ada Brook of Oak Mill and Elm Mill respectively?"
    oak, elm = named(question)
    assert "Ada Brook" not in about_one(question, oak, [elm])
    assert "respectively" not in about_one(question, oak, [elm])
