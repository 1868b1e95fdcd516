"""Pages to chunks: every character accounted for, never above the window, cut where a reader would cut."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.chunk import Chunker, sections
from ingest.discover import discover
from ingest.loaders import load
from rag.embedders import load_embedder
from rag.embedders.hashed import HashedEmbedder
from rag.text import embedding_text, split_terms
from rag.types import Chunk, Heading, Page

DOCS = Path(__file__).parents[2] / "data" / "docs"
HASHED = HashedEmbedder()
SIGNS = [
    "word", "Word", " ", "  ", "\n", "\n\n", "\t", "。", "，", "；", "！”", "...", "…", ". ", "3.5", "中文",
    "很长的句子", "\u3000", "\u00a0", "\u2028", "\r\n", "\x85", "e\u0301", "🏳️‍🌈", "𠮷", "ﬁ", "İ", "ß", "\u200b",
    "\ufeff", "a" * 40,
]  # fmt: skip


def check(page: Page, chunks: list[Chunk], chunker: Chunker) -> None:
    """What holds for the chunks of any page: order, offsets, size, and that nothing is lost or told twice."""
    assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
    assert all(size <= chunker.size for size in chunker.count([embedding_text(chunk) for chunk in chunks]))
    assert all(page.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert all(chunk.text == chunk.text.strip() or len(chunk.text) == 1 for chunk in chunks)
    assert all(before.end <= after.start for before, after in pairwise(chunks))
    assert left_out(page, [(chunk.start, chunk.end) for chunk in chunks]) == ""


def left_out(page: Page, covered: list[tuple[int, int]]) -> str:
    """The text of a page that no chunk holds, headings without a body and white space aside."""
    kept = list(page.text)
    for start, end in covered:
        kept[start:end] = [""] * (end - start)
    for heading in page.headings:
        end = next((i for i in range(heading.offset, len(kept)) if page.text[i] == "\n"), len(kept))
        kept[heading.offset : end] = [""] * (end - heading.offset)
    return "".join(kept).strip(" \t\r\n\u3000\u00a0\u2028\x85\x1c\x1d\x1e\x1f=-#\ufeff")


def nasty(seed: int) -> str:
    dice = random.Random(seed)
    return "".join(dice.choices(SIGNS, k=dice.randint(1, 600)))


def documents() -> list[tuple[str, list[Page]]]:
    return [(file.name, list(load(file.path))) for file in discover(DOCS).files]


@pytest.mark.parametrize("size", [16, 60, 256])
def test_the_sample_folder(size: int) -> None:
    chunker = Chunker(HASHED.count_tokens, size)
    for name, pages in documents():
        chunks = chunker.split(name, pages)
        assert chunks
        each = [chunker.split(name, [replace(page, title=pages[0].title)]) for page in pages]
        assert [(c.start, c.end, c.text, c.page) for page in each for c in page] == [
            (c.start, c.end, c.text, c.page) for c in chunks
        ]
        for page, part in zip(pages, each, strict=True):
            check(page, part, chunker)


@pytest.mark.models
def test_the_sample_folder_in_the_window_of_the_default_embedder() -> None:
    embedder = load_embedder("bilingual")
    chunker = Chunker(embedder.count_tokens, embedder.max_tokens)
    for name, pages in documents():
        for page in pages:
            check(page, chunker.split(name, [page]), chunker)


@pytest.mark.models
def test_nasty_text_in_the_window_of_the_default_embedder() -> None:
    chunker = Chunker(load_embedder("bilingual").count_tokens, 40)
    for seed in range(25):
        page = Page(nasty(seed))
        check(page, chunker.split("x", [page]), chunker)


@pytest.mark.parametrize("size", [16, 30, 256])
def test_nasty_text(size: int) -> None:
    chunker = Chunker(HASHED.count_tokens, size)
    for seed in range(60):
        page = Page(nasty(seed))
        check(page, chunker.split("x", [page]), chunker)


def test_a_text_that_fits_is_one_chunk() -> None:
    page = Page("One line.\n\nAnother line.\n")
    assert Chunker(HASHED.count_tokens, 256).split("a.txt", [page]) == [
        Chunk("a.txt", "One line.\n\nAnother line.", 0, 24, 0)
    ]


def test_cut_at_paragraphs_before_sentences() -> None:
    first, second = "a b c d e. F g h i j.", "k l m n o. P q r s t."
    page = Page(f"{first}\n\n{second}")
    texts = [chunk.text for chunk in Chunker(HASHED.count_tokens, 16).split("x", [page])]
    assert texts == [first, second]


def test_cut_at_the_ends_of_sentences() -> None:
    text = "One two three four five six. Seven eight nine ten eleven. Twelve thirteen fourteen fifteen sixteen."
    chunks = Chunker(HASHED.count_tokens, 12).split("x", [Page(text)])
    assert [chunk.text for chunk in chunks] == [
        "One two three four five six. Seven eight nine ten eleven.",
        "Twelve thirteen fourteen fifteen sixteen.",
    ]


def test_cut_at_chinese_punctuation() -> None:
    sentences = ["保修期为二十四个月。", "密封圈不在保修范围之内！", "您要退货吗？", "运费由公司承担，请放心。"]
    chunks = Chunker(HASHED.count_tokens, 24).split("x", [Page("".join(sentences))])
    assert [chunk.text for chunk in chunks] == sentences


def test_a_chinese_sentence_that_is_too_long_is_cut_at_a_comma() -> None:
    chunks = Chunker(HASHED.count_tokens, 16).split("x", [Page("水箱放在左边，咖啡豆放在右边，杯子放在上面。")])
    assert [chunk.text for chunk in chunks] == ["水箱放在左边，", "咖啡豆放在右边，", "杯子放在上面。"]


def test_text_without_spaces() -> None:
    began = time.process_time()
    chunker = Chunker(HASHED.count_tokens, 256)
    for text in ("字" * 100_000, "x" * 100_000, "。" * 100_000):
        chunks = chunker.split("x", [Page(text)])
        assert "".join(chunk.text for chunk in chunks) == text
        assert max(chunker.count([chunk.text for chunk in chunks])) <= 256
    assert time.process_time() - began < 30


@pytest.mark.models
def test_text_without_spaces_by_the_default_embedder() -> None:
    embedder = load_embedder("bilingual")
    chunker = Chunker(embedder.count_tokens, embedder.max_tokens)
    for text in ("字" * 20_000, "x" * 100_000, "1" * 20_000):
        chunks = chunker.split("x", [Page(text)])
        assert "".join(chunk.text for chunk in chunks) == text
        assert max(chunker.count([chunk.text for chunk in chunks])) <= embedder.max_tokens


PAGE = Page(
    "Preface.\n# A\nOf A.\n## B\nOf B.\n#### D\nOf D.\n## C\n### E\nOf E.\n# F\n",
    headings=(
        Heading(9, 1, "A"), Heading(19, 2, "B"), Heading(30, 4, "D"), Heading(43, 2, "C"), Heading(48, 3, "E"),
        Heading(60, 1, "F"),
    ),
)  # fmt: skip


def test_sections_and_their_paths() -> None:
    found = [(PAGE.text[a:b].strip(), path) for a, b, path in sections(PAGE)]
    assert found == [
        ("Preface.", ()),
        ("# A\nOf A.", ("A",)),
        ("## B\nOf B.", ("A", "B")),
        ("#### D\nOf D.", ("A", "B", "D")),
        ("### E\nOf E.", ("A", "C", "E")),
    ]


def test_chunks_carry_headings_pages_and_labels() -> None:
    pages = [
        Page("Title\nText one.", 3, (Heading(0, 1, "Title"),)),
        Page("Text two.", 4),
        Page("name: 茶", None, (), "row 7"),
    ]
    chunks = Chunker(HASHED.count_tokens, 64).split("a.pdf", pages)
    assert [(c.page, c.heading, c.position, c.text) for c in chunks] == [
        (3, ("Title",), 0, "Title\nText one."),
        (4, (), 1, "Text two."),
        (None, ("row 7",), 2, "name: 茶"),
    ]


def test_a_heading_path_that_is_too_long_keeps_its_inner_end() -> None:
    outer, inner = "outer " * 20, "inner " * 4
    page = Page("x\ny\n" + "text " * 30, headings=(Heading(0, 1, outer.strip()), Heading(2, 2, inner.strip())))
    chunker = Chunker(HASHED.count_tokens, 16)
    chunks = chunker.split("x", [page])
    assert {chunk.heading for chunk in chunks if chunk.start >= 2} == {(inner.strip(),)}
    check(page, chunks, chunker)


def test_a_heading_longer_than_a_chunk() -> None:
    title = "章" * 400
    page = Page(title + "\n" + "正文内容。" * 40, headings=(Heading(0, 1, title),))
    chunker = Chunker(HASHED.count_tokens, 32)
    chunks = chunker.split("x", [page])
    assert all(0 < len(split_terms(chunk.heading[0])) <= 16 for chunk in chunks)
    assert max(chunker.count([embedding_text(chunk) for chunk in chunks])) <= 32


def test_settings_tell_one_way_of_cutting_from_another() -> None:
    assert Chunker(HASHED.count_tokens, 64).settings() == {"splitter": "recursive-3", "size": 64}
