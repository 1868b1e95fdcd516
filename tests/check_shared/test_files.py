"""Difficult files of others: none may crash or hang the reader, and every one is accounted for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingest.discover import discover
from ingest.reader_pool import Loaded, Loaders, whole
from rag.errors import LoadError, Skip

if not os.environ.get("RAG_SHARED"):
    pytest.skip("RAG_SHARED is not set", allow_module_level=True)

FILES = Path(os.environ["RAG_SHARED"]) / "files"
SECONDS = 120
"""More than a folder takes on two cores, and less than one file that hangs would add to it many times over."""


def load_folder(name: str) -> dict[str, Loaded]:
    found = discover(FILES / name)
    assert found.problems == ()
    began = time.monotonic()
    with Loaders() as loaders:
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
    read = {name for name in results if name.endswith((".pdf", ".docx", ".html", ".csv"))}
    assert set(of_kind(results, "pages")) == read - {"MEDRPT-2024-PAT-3847_medical_report_scan.pdf"}
    assert str(results["MEDRPT-2024-PAT-3847_medical_report_scan.pdf"]) == "no text layer"
    others = {name: str(result) for name, result in results.items() if name not in read}
    assert others == {name: f"unsupported: {Path(name).suffix}" for name in others}


def test_formats_say_what_is_in_them() -> None:
    results = {name: result for name, result in load_folder("formats").items() if isinstance(result, tuple)}
    assert "名前: 佐藤太郎" in results["test_mskanji.csv"][0].text
    assert results["test_mskanji.csv"][0].label == "row 1"
    titles = [heading.title for heading in results["test.docx"][0].headings]
    assert titles[:2] == ["AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation", "Abstract"]
    page = results["test_wikipedia.html"][0]
    assert (page.headings[0].level, page.headings[0].title) == (1, "Microsoft")
    assert "Net income | US$73.4 billion (2023)" in page.text
    assert [page.number for page in results["REPAIR-2022-INV-001_multipage.pdf"]] == [1, 2, 3]


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
    assert set(counts(results)) == {"encrypted", "failed", "no text layer", "pages"}
    assert of_kind(results, "encrypted") == ["bug1782186.pdf"]
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
