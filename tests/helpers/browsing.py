"""What the tests of the page share: the documents, the browser, and what hands do."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

from helpers.samples import pdf
from playwright.sync_api import Page

PATIENCE = 60_000
"""Milliseconds: a machine may have much else to do."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
KEPT: dict[str, str | bytes] = {
    "office.md": "# Office\n\n## Parking\n\nThe car park opens at 7:30 and closes at 21:00. "
    "Bicycles stand in the yard.\n\n## Kitchen\n\nThe kitchen is cleaned on Fridays. Coffee is free.\n",
    "poison.md": "# <img src=x onerror=alert(1)>\n\nThe lamp is green. [click](javascript:alert(1)) "
    "<script>alert(1)</script> ![x](http://evil.example/?q=1)\n",
}
SCRIPT = {
    "锅炉多久除垢一次？": "每四百杯咖啡要除垢一次。",
    "When are the burrs of the grinder replaced?": "The burrs are replaced after 600 kilograms of coffee.",
    "Which extension has Anna Lindqvist?": "Anna Lindqvist: extension 7741.",
    "When is the lantern in the garden lit?": "The lantern in the garden is lit at dusk.",
    "When does the car park open": "The car park opens at 7:30. Bicycles stand in the yard.",
    "What colour is the lamp?": "The lamp is green.",
}


def docx(*paragraphs: str) -> bytes:
    from docx import Document

    document, file = Document(), BytesIO()
    document.add_heading(paragraphs[0], 1)
    for text in paragraphs[1:]:
        document.add_paragraph(text)
    document.save(file)
    return file.getvalue()


DROPPED: dict[str, bytes] = {
    "燕鸥.pdf": pdf(
        ["燕鸥手册\n水箱容量为一点八升。", "保养\n请只用软水。\n锅炉：每四百杯咖啡要除垢一次。\n阀门每年检查。"]
    ),
    "grinder.docx": docx(
        "Wren grinder", *["Keep the grinder dry and clean."] * 60,
        "The burrs are replaced after 600 kilograms of coffee. The hopper holds 250 grams.",
    ),
    "people.csv": b"name,city,extension\nPaul Meyer,Bonn,5512\nAnna Lindqvist,Leeds,7741\nOtto Graf,Wien,8802\n",
    "garden.md": b"# Garden\n\n" + b"The hedge is cut in spring.\n\n" * 60
    + b"## Light\n\nThe lantern in the garden is lit at dusk.\n",
}  # fmt: skip


def executable() -> str | None:
    """A browser that is installed here."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def ask(page: Page, question: str) -> None:
    """Put a question and wait for the end of its answer."""
    before = page.locator(".turn .doing").count()
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.locator(".turn .doing").nth(before).wait_for()


def drop(page: Page, *paths: Path) -> None:
    """Drop files as a hand does, and wait until they are read."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 500, "y": 300, "data": data})
        if kind == "dragOver":
            page.locator("#drop").wait_for()
    page.locator('.job[data-state="done"]').first.wait_for()
    for path in paths:
        page.locator(f'.tree .open:text-is("{path.name}")').wait_for()
