"""Documents that contradict one another: what is a contradiction, and how it is told."""

from __future__ import annotations

from rag.grounding._tuned import DAY
from rag.grounding.conflicts import find_conflict, newer_edition, resolve_conflict
from rag.grounding.ground import Statement
from rag.retrieval.passages import Passage
from rag.text.numbers import find_figures
from rag.types import Chunk, Document, Hit

QUESTION = "How long is the warranty of the Tern?"


def chunk(source: str, text: str, *heading: str) -> Chunk:
    return Chunk(source, text, 0, len(text), heading=heading)


def hits(*chunks: Chunk) -> list[Hit]:
    return [Hit(n, 0.5, c) for n, c in enumerate(chunks, 1)]


def document(source: str, modified: int) -> Document:
    return Document(source, source, "", 0, modified, "text")


OLD = chunk("a.txt", "The warranty of the Tern lasts 24 months.")
NEW = chunk("b.txt", "The warranty of the Tern lasts 36 months.")


def figure(question: str, one: Chunk, *others: Chunk) -> str | None:
    found = find_conflict(question, one.text, one, one.start, one.end, hits(one, *others))
    return found.figure if found else None


def test_figures_have_units() -> None:
    assert [(f.value, f.unit) for f in find_figures("£130, 175 pounds, ¥1,200, 24 个月, 5%, 3 kg, 12")] == [
        ("130", "gbp"), ("175", "gbp"), ("1200", "cny"), ("24", "month"), ("5", "%"), ("3", "kg"), ("12", ""),
    ]  # fmt: skip


def test_another_figure_for_the_same_thing_contradicts() -> None:
    assert figure(QUESTION, OLD, NEW) == "36 months"
    assert (
        figure(
            "燕鸥的保修期是多久？",
            chunk("a.md", "燕鸥的保修期为 24 个月。"),
            chunk("b.md", "燕鸥的保修期是 36 个月。"),
        )
        == "36 个月"
    )


def test_rows_of_tables_contradict_under_like_headings() -> None:
    old = chunk("p-2022.md", "| London | £130 |", "Travel policy (2022)", "Hotels")
    new = chunk("p-2025.md", "| London | 175 pounds |", "Travel policy (2025)", "Hotels")
    assert figure("What is the hotel limit in London?", new, old) == "£130"


def test_what_does_not_contradict() -> None:
    assert (
        figure(QUESTION, OLD, chunk("b.txt", "The warranty of the Tern lasts 24 months, not 36 months.")) is None
    )
    assert figure(QUESTION, OLD, chunk("b.txt", "The warranty of the Wren lasts 36 months.")) is None
    assert figure(QUESTION, OLD, chunk("b.txt", "The warranty of the Tern costs 36 pounds.")) is None
    assert (
        figure(
            QUESTION, OLD, chunk("b.txt", "In 36 months the Tern, which has a warranty, was sold in nine towns.")
        )
        is None
    )
    assert figure(QUESTION, OLD, chunk("a.txt", "The warranty of the Tern lasts 36 months.")) is None
    assert figure(QUESTION, chunk("a.txt", "The warranty of the Tern lasts long."), NEW) is None


def test_the_thing_asked_for_is_told_by_its_number() -> None:
    one = chunk("a.txt", "The warranty of the Tern 1 lasts 24 months.")
    two = chunk("b.txt", "The warranty of the Tern 2 lasts 36 months.")
    assert figure("How long is the warranty of the Tern 1?", one, two) is None


def test_which_document_is_newer() -> None:
    documents = {"a.txt": document("a.txt", 9 * DAY), "b.txt": document("b.txt", 10 * DAY)}
    assert newer_edition(OLD, NEW, documents) is NEW
    assert newer_edition(OLD, NEW, documents | {"b.txt": document("b.txt", 9 * DAY + 5)}) is None
    assert newer_edition(OLD, NEW, documents | {"b.txt": document("b.txt", 0)}) is None
    assert newer_edition(OLD, NEW, {}) is None
    old, new = chunk("p-2022.md", "x"), chunk("p.md", "x", "Policy (2025)")
    assert (
        newer_edition(new, old, {"p-2022.md": document("p-2022.md", 99 * DAY), "p.md": document("p.md", DAY)})
        is new
    )


def told(
    claim: str, cited: Chunk, documents: dict[str, Document], question: str = QUESTION
) -> list[tuple[str, str]]:
    return resolved(question, claim, cited, hits(OLD, NEW), documents)


def resolved(
    question: str, claim: str, cited: Chunk, found: list[Hit], documents: dict[str, Document]
) -> list[tuple[str, str]]:
    held = Statement(claim, (Passage(cited, cited.start, cited.end),))
    said = resolve_conflict(question, held, found, lambda: documents)
    return [(statement.text, statement.places[0].chunk.source) for statement in said]


def test_both_are_cited_and_the_conflict_is_named() -> None:
    assert told("It lasts 24 months.", OLD, {}) == [
        ("It lasts 24 months.", "a.txt"),
        ("The documents disagree: b.txt says “36 months”.", "b.txt"),
    ]


def test_the_newer_document_comes_first() -> None:
    documents = {"a.txt": document("a.txt", DAY), "b.txt": document("b.txt", 3 * DAY)}
    first = ("The warranty of the Tern lasts 36 months.", "b.txt")
    older = ("The documents disagree: a.txt, which is older, says “24 months”.", "a.txt")
    assert told("It lasts 24 months.", OLD, documents) == [first, older]
    assert told("The warranty of the Tern lasts 36 months.", NEW, documents) == [first, older]


def test_the_year_that_is_asked_for_decides() -> None:
    old = chunk("p-2022.md", "The limit in London is 130 pounds.")
    new = chunk("p-2025.md", "The limit in London is 175 pounds.")
    for cited in (old, new):
        said = resolved("What was the limit in London in 2022?", cited.text, cited, hits(old, new), {})
        assert said == [("The limit in London is 130 pounds.", "p-2022.md")]


def test_the_conflict_is_named_in_the_language_of_the_question() -> None:
    old, new = chunk("a.md", "燕鸥的保修期为 24 个月。"), chunk("b.md", "燕鸥的保修期是 36 个月。")
    said = resolved("燕鸥的保修期是多久？", "24 个月", old, hits(old, new), {})
    assert [text for text, _ in said] == ["24 个月", "文档之间有出入：b.md 写的是“36 个月”。"]


def test_without_a_conflict_there_is_the_claim() -> None:
    assert resolved("?", "x", OLD, hits(OLD), {}) == [("x", "a.txt")]
