"""What a document is called, and that each of its chunks says so."""

from __future__ import annotations

import pytest

from ingest.chunk import Chunker
from ingest.title import LONGEST, title_of, with_title
from rag.embedders.hashed import HashedEmbedder
from rag.types import Heading, Page


@pytest.mark.parametrize(
    ("name", "page", "title"),
    [
        ("a/12.txt", Page("Green Farm Ltd.\n\nThe company was founded in 2001."), ""),  # a sentence ends so
        ("a/12.txt", Page("Green Farm Ltd\n\nThe company was founded in 2001."), "Green Farm Ltd"),
        ("a/12.txt", Page("绿源环保有限公司\n\n公司成立于 2005 年。"), "绿源环保有限公司"),
        ("a/12.txt", Page("Name: J. Brooks\nAge: 59\n"), ""),
        ("a/12.txt", Page("The pump hums.\n\nThe boiler does not."), ""),
        ("a/travel-policy_2024.txt", Page("No line stands alone here."), "travel policy 2024"),
        ("a/报销制度.txt", Page("灯岭咖啡设备有限公司\n\n第一条 ……"), "报销制度 · 灯岭咖啡设备有限公司"),
        ("a/notes.md", Page("# Slots\n\nText", headings=(Heading(0, 1, "Slots"),)), "Slots"),
        ("a/notes.md", Page("# A\n# B\n", headings=(Heading(0, 1, "A"), Heading(4, 1, "B"))), "notes · A"),
        ("a/x1.pdf", Page("Page 1 of 9\nSome text of the page", number=1), ""),
        ("a/x1.pdf", Page("text", number=1, title="Annual report 2024"), "Annual report 2024"),
        (
            "a/7.txt",
            Page("绿源环保有限公司是一家企业。绿源环保有限公司在北京。2017 年绿源环保有限公司盈利。"),
            "绿源环保有限公司",
        ),
        (
            "a/7.txt",
            Page("Acme Ltd, founded in 2001, sells pumps. Acme Ltd has a shop. Acme Ltd grows."),
            "Acme Ltd",
        ),
        ("a/7.txt", Page("Bees are insects. A hive is their home."), ""),
        ("a/report.pdf", Page("text", number=1, title="Microsoft Word - Document1"), "report"),
        ("a/report.pdf", Page("text", number=1, title="draft_final.docx"), "report"),
        ("a/people.csv", Page("name: Anna", label="row 1"), "people"),
        ("a/3f2a9c0d11e84c7f9a.txt", Page("word"), ""),
        ("a/x1.txt", Page("long " * LONGEST + "\n\ntext"), ""),
    ],
)
def test_titles(name: str, page: Page, title: str) -> None:
    assert title_of(name, page) == title


def test_each_chunk_stands_below_the_title() -> None:
    pages = with_title("a/minutes.txt", [Page("One. " * 40), Page("Two. " * 40)])
    chunks = Chunker(HashedEmbedder().count_tokens, 24).split("a/minutes.txt", pages)
    assert len(chunks) > 2
    assert {chunk.heading for chunk in chunks} == {("minutes",)}


def test_a_title_that_is_the_first_heading_stands_there_once() -> None:
    page = Page("# Slots\n\nText of it.", headings=(Heading(0, 1, "Slots"),))
    [chunk] = Chunker(HashedEmbedder().count_tokens, 24).split("a/slots.md", with_title("a/slots.md", [page]))
    assert chunk.heading == ("Slots",)
