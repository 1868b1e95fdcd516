"""Tables in running text: each row keeps the header that it stands under, on its page and over the next."""

from __future__ import annotations

import pytest

from ingest.chunk import Chunker
from ingest.headers import header_at, tables
from rag.embedders.hashed import HashedEmbedder
from rag.text import embedding_text
from rag.types import Page

TABLE = "Region | 2023 | 2024\nNorth | 5 | 6\nSouth | 7 | 8\nWest | 9 | 10"


def header(text: str, row: str) -> str:
    return header_at(tables(text), text.index(row))


@pytest.mark.parametrize(
    ("text", "row", "said"),
    [
        (f"Sales.\n\n{TABLE}\n\nAfter.", "South", "Region | 2023 | 2024"),
        (f"Sales.\n\n{TABLE}\n\nAfter.", "Region", ""),
        (f"Sales.\n\n{TABLE}\n\nAfter.", "After", ""),
        ("| 品名 | 价格 |\n|---|---:|\n| 茶 | 5 |\n| 酒 | 9 |", "| 酒", "品名 | 价格"),
        ("Staff | Pay | \n | old | new\nAnn | 5 | 6\nBob | 7 | 8", "Bob", "Staff | Pay old | Pay new"),
        ("1 | 2\n3 | 4\n5 | 6", "3", ""),
        ("use a | b here\nand c | d there", "and", ""),
    ],
)
def test_the_header_of_a_row(text: str, row: str, said: str) -> None:
    assert header(text, row) == said


def test_a_table_that_goes_on_over_the_page() -> None:
    (first,) = tables(f"Sales\n\n{TABLE}")
    assert header_at(tables("East | 1 | 2\nTotal | 22 | 26\n\nNotes", first), 0) == "Region | 2023 | 2024"
    assert header_at(tables("Region | 2023 | 2024\nEast | 1 | 2\nTotal | 1 | 2", first), 0) == ""  # said again
    assert header_at(tables("East | 1\nTotal | 2\nAll | 3", first), 0) == ""  # other columns
    assert header_at(tables("Notes\n\nEast | 1 | 2\nTotal | 22 | 26\nx | 1 | 2", first), 7) == ""  # text between


def test_chunks_of_a_long_table_carry_its_header_and_cut_no_row() -> None:
    rows = [f"Product number {n} | {n * 3} pieces | {n * 7} EUR" for n in range(60)]
    text = "Stock in spring\n\nProduct | Stock | Price\n" + "\n".join(rows) + "\n\nCounted by hand."
    embedder = HashedEmbedder()
    chunker = Chunker(embedder.count_tokens, 80)
    chunks = chunker.split("a.md", [Page(text, title="Report")])
    assert len(chunks) >= 8
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert embedder.count_tokens([embedding_text(chunk)])[0] <= 80
        for line in chunk.text.split("\n"):
            assert "|" not in line or line in rows or line == "Product | Stock | Price"
    begun = [chunk for chunk in chunks if chunk.text.startswith("Product number")]
    assert len(begun) >= 5
    assert {chunk.heading for chunk in begun} == {("Report", "Product | Stock | Price")}
    assert chunks[0].heading == ("Report",)
