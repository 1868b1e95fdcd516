"""Small files after reports of other programs' users: what their text must say, and must not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingest.loaders import load

if not os.environ.get("RAG_SHARED"):
    pytest.skip("RAG_SHARED is not set", allow_module_level=True)

CASES = Path(os.environ["RAG_SHARED"]) / "cases"

RIGHT = {
    "docx_numbers": ["3. Press"],
    "html_list": ["6. Drain"],
    "csv_sep": ["Artikel: Pumpe", "Menge: 7", "Bemerkung: ok"],
    "csv_years": ["2022: 1350", "2023: 402"],
    "csv_title": ["Pieces: 1500", "Shelf: C7"],
    "csv_quote": ["P-103", "Q-103", "Price: 1.75"],
    "html_sup": ["× 10⁻⁶ mbar", "10⁴ litres", "25⁽¹⁾ euros"],
    "docx_equation": ["(3V)/(4t)+10⁶", "10⁵ litres", "40⁽²⁾ euros"],
    "pdf_sup": ["10⁶ pulses", "12⁽³⁾ euros"],
    "html_accordion": ["14 days", "under 16", "54 euros"],
    "html_rowspan": ["Summer | Double | 112", "Winter | Suite | 140"],
    "html_link": ["files.example.org/osprey/driver-3.2.zip", "terminal 3"],
    "docx_autonum": ["2.2 Notice"],
    "docx_vmerge": ["Line A | Night | Dale", "Line B | Late | Holt"],
    "docx_nested": ["Green | 46"],
    "docx_footnote": ["October 1962"],
    "docx_header": ["HX-48213", "31 March 2027"],
    "pdf_hyphen": ["qualified technician", "lubrication plan"],
    "pdf_columns": ["information boards about"],
    "pdf_form": ["9.4 metres", "☒"],
    "pdf_zh_columns": ["十七点停止入场。", "六岁以下儿童免费入场。"],
    "pdf_zh_list": ["\n豪华单人间", "\n普通双人间"],
    "pdf_glued": ["340 watts", "Jonas Vexley"],
    "pdf_table": ["Station 77 | 1977 | "],
    "pdf_gb1_identity": ["每小时二十五元"],
    "html_table_first": ["07:40"],
    "docx_strict": ["150 euros"],
    "txt_gbk_mixed": ["以管理员身份运行"],
}
WRONG = {
    "html_strike": ["249"],
    "html_sup": ["104 litres", "251"],
    "docx_equation": ["105 litres", "402"],
    "pdf_sup": ["106", "123 euros"],
    "pdf_headers": ["Page", "page"],
}


def texts(folder: str) -> str:
    return "\n".join(page.text for path in sorted((CASES / folder).iterdir()) for page in load(path))


@pytest.mark.parametrize("folder", sorted(RIGHT))
def test_what_is_right_is_read(folder: str) -> None:
    text = texts(folder)
    assert [fact for fact in RIGHT[folder] if fact not in text] == []


@pytest.mark.parametrize("folder", sorted(WRONG))
def test_what_is_wrong_is_not_read(folder: str) -> None:
    text = texts(folder)
    assert [fact for fact in WRONG[folder] if fact in text] == []


def test_every_predefined_cmap_of_chinese_fonts() -> None:
    told = ("夜班津贴为每小时二十五元", "夜班津貼為每小時二十五元", "倉庫は", "창고는")
    for path in sorted((CASES / "pdf_cjk_cmap").glob("*.pdf")):
        assert any(words in page.text for page in load(path) for words in told), path.name
