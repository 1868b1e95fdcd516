"""Workbooks, slides, books, older office formats, made here: what is read, how it is named, what is refused."""

from __future__ import annotations

import io
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from helpers.office import book, opendocument, workbook, zipped
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from ingest.loaders import LoadOptions, load
from ingest.loaders.tables import column_names, find_header
from rag.errors import LoadError, Skip
from rag.types import Page


def pages(folder: Path, name: str, data: bytes | str, options: LoadOptions | None = None) -> list[Page]:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(load(path, options))


def said(found: list[Page]) -> list[tuple[str | None, str]]:
    return [(page.label, page.text) for page in found]


# ── workbooks ────────────────────────────────────────────────────────────────────────────────────────


def test_a_workbook_names_sheet_and_row_and_keeps_each_cell_beside_its_header(tmp_path: Path) -> None:
    rows = [
        ["Price list 2026"],
        [],
        ["Article", "价格", "In stock", "Since"],
        ["Kettle", 49.9, True, date(2024, 3, 1)],
        [None, None, None, None],
        ["Grinder", 1200, False, None],
    ]
    found = pages(tmp_path, "a.xlsx", workbook({"Prices": rows, "Old": [["Article"], ["Pot"]]}, hidden=["Old"]))
    assert said(found) == [
        ("Prices, row 1", "Price list 2026"),
        ("Prices, row 4", "Article: Kettle\n价格: 49.9\nIn stock: yes\nSince: 2024-03-01"),
        ("Prices, row 6", "Article: Grinder\n价格: 1200\nIn stock: no"),
        ("Old (hidden), row 2", "Article: Pot"),
    ]


@pytest.mark.parametrize(
    ("rows", "span"),
    [
        ([["a", "b"], ["1", "2"]], (0, 1)),
        ([["1", "2"], ["3", "4"]], (0, 0)),
        ([["Region", "2023", "2024"], ["North", "5", "6"]], (0, 1)),
        ([["Title"], ["Name", "Pay"], ["Ann", "5"]], (1, 2)),
        ([["Staff", "Pay", ""], ["", "old", "new"], ["Ann", "5", "6"]], (0, 2)),
        ([], (0, 0)),
    ],
)
def test_where_a_header_is(rows: list[list[str]], span: tuple[int, int]) -> None:
    assert find_header(rows) == span


def test_a_header_cell_merged_over_columns_names_each_of_them() -> None:
    assert column_names([["Staff", "Pay", ""], ["", "old", "new"]], 3) == ["Staff", "Pay old", "Pay new"]


def test_an_opendocument_sheet(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        inside = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in cells
        )
        return f"<table:table-row>{inside}</table:table-row>"

    table = '<table:table table:name="库存">' + row("品名", "数量") + row("茶", "12 kg") + "</table:table>"
    assert said(pages(tmp_path, "a.ods", opendocument("spreadsheet", table))) == [
        ("库存, row 2", "品名: 茶\n数量: 12 kg")
    ]


def test_a_sheet_whose_one_cell_is_a_million_rows_down(tmp_path: Path) -> None:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as made:
        made.add_worksheet().write(1_048_000, 3, "lost")
    assert said(pages(tmp_path, "a.xlsx", out.getvalue())) == [("Sheet1, row 1048001", "column 1: lost")]


# ── slides ───────────────────────────────────────────────────────────────────────────────────────────


def slides() -> bytes:
    show: Any = Presentation()
    show.core_properties.title = "Quarterly review"
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "Turnover\nby region"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame.text = "in a group"
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for at, text in enumerate(["Region", "€m", "北方", "12.5"]):
        table.cell(at // 2, at % 2).text = text
    slide.notes_slide.notes_text_frame.text = "Say why the north grew."
    blank = show.slides.add_slide(show.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["2023", "2024"]
    data.add_series("Sales", (7, 9))
    blank.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(4), Inches(3), data)
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def test_a_slide_is_a_page_with_its_title_groups_tables_notes_and_charts(tmp_path: Path) -> None:
    first, second = pages(tmp_path, "a.pptx", slides())
    assert (first.number, first.label, first.title) == (1, "slide 1", "Quarterly review")
    assert [h.title for h in first.headings] == ["Turnover by region"]
    assert first.text == (
        "Turnover\nby region\n\nin a group\n\nRegion | €m\n北方 | 12.5\n\nSay why the north grew."
    )
    assert (second.label, second.text) == ("slide 2", " | 2023 | 2024\nSales | 7 | 9")


# ── books ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_book_chapter_by_chapter_in_reading_order(tmp_path: Path) -> None:
    data = book(["<h1>Beginning</h1><p>Once.</p>", "<p>Later.</p>"], "The Tale")
    first, second = pages(tmp_path, "a.epub", data)
    assert (first.title, first.label, first.headings[0].title) == ("The Tale", None, "Beginning")
    assert (second.title, second.label, second.text) == ("", "chapter 2", "Later.")


def test_a_protected_book(tmp_path: Path) -> None:
    protected = {"META-INF/encryption.xml": '<e xmlns:x="http://www.w3.org/2001/04/xmlenc#"/>'}
    with pytest.raises(Skip, match=r"^encrypted$"):
        pages(tmp_path, "a.epub", book(["<p>x</p>"], "t", protected))


# ── older formats ────────────────────────────────────────────────────────────────────────────────────


def test_rich_text_in_latin_and_chinese(tmp_path: Path) -> None:
    rtf = r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}\f0 Caf\'e9 bold\par {\*\secret x}\u20445?\u20215?\par}"
    (page,) = pages(tmp_path, "a.rtf", rtf)
    assert [line.strip("*") for line in page.text.split("\n") if line] == ["Café bold", "保价"]


def test_an_opendocument_text_with_headings_and_a_table(tmp_path: Path) -> None:
    body = (
        '<text:h text:outline-level="1">Leave</text:h><text:p>Fifteen days a year.</text:p>'
        "<table:table><table:table-row><table:table-cell><text:p>Grade</text:p></table:table-cell><table:table-cell>"
        "<text:p>Days</text:p></table:table-cell></table:table-row><table:table-row><table:table-cell><text:p>B</text:p>"
        "</table:table-cell><table:table-cell><text:p>20</text:p></table:table-cell></table:table-row></table:table>"
    )
    (page,) = pages(tmp_path, "a.odt", opendocument("text", body))
    assert [h.title for h in page.headings] == ["Leave"]
    assert "Fifteen days a year." in page.text
    assert any("B" in line and "20" in line for line in page.text.split("\n"))


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────

OFFICE = ["a.xlsx", "a.xls", "a.xlsb", "a.ods", "a.pptx", "a.doc", "a.ppt", "a.odt", "a.odp", "a.epub"]


@pytest.mark.parametrize("name", OFFICE)
@pytest.mark.parametrize("data", [b"no such file", b"PK\x03\x04 cut off", bytes(range(256)) * 20])
def test_what_is_no_office_file_is_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(LoadError, match=r"^[^\n]{5,200}$"):
        pages(tmp_path, name, data)


@pytest.mark.parametrize("name", ["a.xlsx", "a.xlsb", "a.ods", "a.pptx", "a.epub"])
def test_a_package_that_unpacks_to_too_much(tmp_path: Path, name: str) -> None:
    with pytest.raises(Skip, match=r"^too large: unpacks to 20 MB"):
        pages(tmp_path, name, zipped({"a.xml": bytes(20 << 20)}))


@pytest.mark.parametrize("name", ["a.xlsx", "a.pptx", "a.docx"])
def test_an_office_file_with_a_password(tmp_path: Path, name: str) -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le") + bytes(500)
    with pytest.raises(Skip, match=r"^encrypted$"):
        pages(tmp_path, name, ole)


SAMPLES = {
    "a.xlsx": lambda: workbook({"S": [["a", "b"], ["c", 1]]}),
    "a.pptx": slides,
    "a.epub": lambda: book(["<p>x</p>"], "t"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_broken_files_are_pages_or_one_sentence(tmp_path: Path, name: str) -> None:
    whole, chance = SAMPLES[name](), random.Random(7)
    for _ in range(40):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = len(data) if chance.random() < 0.7 else chance.randrange(1, len(data))
        try:
            pages(tmp_path, name, bytes(data[:cut]))
        except LoadError as error:
            assert 3 <= len(str(error)) <= 300 and "\n" not in str(error)
