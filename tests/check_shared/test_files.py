"""Difficult files of others: none may crash or hang the reader, and every one is accounted for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingest.discover import discover
from ingest.loaders import LoadOptions
from ingest.reader_pool import Loaded, Loaders, whole
from rag.errors import LoadError, Skip

if not os.environ.get("RAG_SHARED"):
    pytest.skip("RAG_SHARED is not set", allow_module_level=True)

FILES = Path(os.environ["RAG_SHARED"]) / "files"
SECONDS = 120
"""More than a folder takes on two cores, and less than one file that hangs would add to it many times over."""


SCAN = "MEDRPT-2024-PAT-3847_medical_report_scan.pdf"


def load_folder(name: str) -> dict[str, Loaded]:
    found = discover(FILES / name)
    assert found.problems == ()
    began = time.monotonic()
    with Loaders(LoadOptions(ocr=False)) as loaders:
        results = {path: whole(pages) for path, pages in loaders.load_all([file.path for file in found.files])}
    assert time.monotonic() - began < SECONDS
    assert list(results) == [file.path for file in found.files]
    return {file.name: results[file.path] for file in found.files}


def kind(result: Loaded) -> str:
    """What became of a file: "pages", the reason it was skipped for, or "failed"."""
    if isinstance(result, Skip):
        return str(result)
    return "failed" if isinstance(result, LoadError) else "pages"


def counts(results: dict[str, Loaded]) -> dict[str, int]:
    kinds = [kind(result) for result in results.values()]
    return {each: kinds.count(each) for each in sorted(set(kinds))}


def of_kind(results: dict[str, Loaded], wanted: str) -> list[str]:
    return [name for name, result in results.items() if kind(result) == wanted]


def test_formats() -> None:
    results = load_folder("formats")
    others = {name: str(result) for name, result in results.items() if not isinstance(result, tuple)}
    assert others == {
        SCAN: "no text layer",
        "random.bin": "unsupported: .bin",
        "test.jpg": "a picture, and OCR is off",
        "test_llm.jpg": "a picture, and OCR is off",
    }


def test_a_scan_and_a_picture_by_ocr() -> None:
    with Loaders(LoadOptions(max_seconds=300)) as loaders:
        scan, picture = (loaders.load(FILES / "formats" / name) for name in (SCAN, "test_llm.jpg"))
    assert isinstance(scan, tuple) and isinstance(picture, tuple)
    assert [page.number for page in scan] == [1, 2, 3]
    assert min(page.ocr for page in scan) > 0.9
    assert "MEDRPT-2024-PAT-3847" in scan[0].text
    assert "5bda1dd6" in picture[0].text


def test_formats_say_what_is_in_them() -> None:
    results = {name: result for name, result in load_folder("formats").items() if isinstance(result, tuple)}
    assert "名前: 佐藤太郎" in results["test_mskanji.csv"][0].text
    assert results["test_mskanji.csv"][0].label == "row 1"
    titles = [heading.title for heading in results["test.docx"][0].headings]
    assert titles[:2] == ["AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation", "Abstract"]
    page = results["test_wikipedia.html"][0]
    assert (page.headings[0].level, page.headings[0].title) == (1, "Microsoft")
    assert "Net income | [Increase] US$73.4 billion (2023)" in page.text
    assert [page.number for page in results["REPAIR-2022-INV-001_multipage.pdf"]] == [1, 2, 3]
    slide = results["test.pptx"][2]
    assert (slide.number, slide.headings[0].title) == (3, "A table to test parsing:")
    assert "7 | 8 | 9 | 1b92870d-e3b5-4e65-8153-919f4ff45592 | 11 | 12" in slide.text
    for name in ("test.xlsx", "test.xls"):
        assert (results[name][0].label, results[name][0].text.split("\n")[0]) == ("Sheet1, row 2", "Alpha: 89")
    assert results["test_outlook_msg.msg"][0].text.endswith("This is the body of the test email message")
    assert results["test.epub"][0].title == "Test EPUB Document"
    assert {page.label.split(" · ")[0] for page in results["test_files.zip"] if page.label} > {"test.pptx"}


def test_pdf_samples() -> None:
    results = load_folder("pdf-samples")
    assert counts(results) == {"encrypted": 1, "failed": 1, "no text layer": 5, "pages": 24}
    assert of_kind(results, "encrypted") == ["005-libreoffice-writer-password__libreoffice-writer-password.pdf"]
    assert of_kind(results, "failed") == ["017-unreadable-meta-data__unreadablemetadata.pdf"]
    long = results["009-pdflatex-geotopo__GeoTopo-komprimiert.pdf"]
    assert isinstance(long, tuple)
    assert [page.number for page in long] == list(range(1, 118))


def test_pdf_hostile() -> None:
    results = load_folder("pdf-hostile")
    assert len(results) == 75
    garbage = "no readable text: its letters have no meaning (a font without a map)"
    assert set(counts(results)) == {"encrypted", "failed", "no text layer", "pages", garbage}
    # one of them is damaged, and not always in the same words
    assert (
        {"bug1782186.pdf"} <= set(of_kind(results, "encrypted")) <= {"bug1782186.pdf", "poppler-395-0-fuzzed.pdf"}
    )
    assert len(of_kind(results, "pages")) >= 40
    failed = [str(results[name]) for name in of_kind(results, "failed")]
    assert all("\n" not in reason and reason for reason in failed)


@pytest.mark.parametrize(("folder", "language"), [("vue-zh", "组件"), ("vue-en", "component")])
def test_documentation_in_markdown(folder: str, language: str) -> None:
    results = load_folder(folder)
    assert of_kind(results, "unsupported: no suffix") == ["LICENSE"]
    pages = [result[0] for result in results.values() if isinstance(result, tuple)]
    assert len(pages) == len(results) - 1
    assert all("{#" not in heading.title for page in pages for heading in page.headings)
    assert any(language in heading.title for page in pages for heading in page.headings)
