"""What a person does at the page, in a real Chromium: ask, and open what the answer rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pypdfium2
import pytest
from helpers.browsing import DROPPED, KEPT, PATIENCE, SCRIPT, ask, drop
from helpers.scripted import ScriptedLLM
from helpers.serving import make_index, serving
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.page

PDF = "燕鸥.pdf"
QUESTIONS = {
    "grinder.docx": ("When are the burrs of the grinder replaced?", "replaced after 600 kilograms"),
    "garden.md": ("When is the lantern in the garden lit?", "The lantern in the garden is lit at dusk."),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    with serving({"notes": make_index(folder, KEPT)}, ScriptedLLM(SCRIPT), uploads=folder / "up") as address:
        yield address


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that are dropped."""
    folder = tmp_path_factory.mktemp("files")
    for name, content in DROPPED.items():
        (folder / name).write_bytes(content)
    return folder


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, base: str) -> Iterator[Open]:
    """Opens the page. Nothing may be asked of another address, no error may be said, no dialog may open."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def opened(
        path: str = "/", width: int = 1440, height: int = 900, language: str = "en", **options: Any
    ) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            locale={"en": "en-GB", "zh": "zh-CN"}[language],
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: None if r.url.startswith((base, "blob:", "data:")) else wrong.append(r.url))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.on("dialog", lambda d: (wrong.append(d.message), d.dismiss()))
        page.set_default_timeout(PATIENCE)
        page.goto(base + path)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("body[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def letters(text: str) -> str:
    return "".join(re.findall(r"\w", text))


def test_a_pdf_dropped_asked_in_chinese_and_opened_at_its_words(open_page: Open, files: Path) -> None:
    page = open_page(language="zh")
    drop(page, files / PDF)
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => window.seen.push(
            [document.querySelectorAll('.passage').length, document.querySelector('.answer')?.textContent ?? ''])
        ).observe(document.getElementById('turns'), {childList: true, subtree: true}) }"""
    )
    ask(page, "锅炉多久除垢一次？")
    seen = page.evaluate("window.seen")
    assert any(found and not text for found, text in seen), "passages come before the answer"
    expect(page.locator(".answer")).to_contain_text("每四百杯咖啡要除垢一次。")
    quotation = page.locator(".passages .words").first.inner_text()
    page.locator(".answer .chip").first.click()
    boxes = page.locator(".sheet .box")
    expect(boxes.first).to_be_visible()
    page.wait_for_function("document.querySelector('.sheet img').naturalWidth >= 1000")
    expect(page.locator("#page-at")).to_contain_text("第 2 / 2 页")
    assert letters(words_inside(page)) == letters(quotation)
    assert marks_differ(page)
    expect(page.locator(".text mark")).to_have_text([quotation])


def words_inside(page: Page) -> str:
    """The words that the PDF has along the middle of the boxes on the screen."""
    paper = pypdfium2.PdfDocument(DROPPED[PDF])[1]
    width, height = paper.get_size()
    shares = page.locator(".sheet .box").evaluate_all(
        """boxes => boxes.map(box => {
            const [a, b] = [box, box.parentElement.querySelector('img')].map(each => each.getBoundingClientRect())
            return [(a.left - b.left) / b.width, (a.right - b.left) / b.width,
                    (a.top + a.height / 2 - b.top) / b.height]
        })"""
    )
    text = paper.get_textpage()
    middles = [(left * width, right * width, height - middle * height) for left, right, middle in shares]
    return "".join(text.get_text_bounded(left, y - 1, right, y + 1) for left, right, y in middles)


def marks_differ(page: Page) -> bool:
    """Whether the page looks otherwise inside the first box than without it."""
    clip = page.locator(".sheet .box").first.bounding_box()
    marked = page.screenshot(clip=clip)  # type: ignore[arg-type]
    page.locator(".sheet").evaluate("sheet => sheet.querySelectorAll('.box').forEach(box => box.remove())")
    return marked != page.screenshot(clip=clip)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_text_opens_where_the_words_stand(open_page: Open, files: Path, name: str) -> None:
    page = open_page()
    drop(page, files / name)
    question, words = QUESTIONS[name]
    ask(page, question)
    page.locator(".answer .chip").first.click()
    mark = page.locator("#source-body mark").first
    expect(mark).to_be_in_viewport()
    assert words in " ".join(page.locator("#source-body mark").all_inner_texts())
    page.wait_for_function("document.getElementById('source-body').scrollTop > 100")


def test_a_table_opens_at_its_row(open_page: Open, files: Path) -> None:
    page = open_page()
    drop(page, files / "people.csv")
    ask(page, "Which extension has Anna Lindqvist?")
    page.locator(".answer .chip").first.click()
    row = page.locator("tr.cited")
    expect(row).to_be_in_viewport()
    expect(row.locator("td")).to_have_text(["2", "Anna Lindqvist", "Leeds", "7741"])
    assert "7741" in row.locator("mark").all_inner_texts()
    assert page.locator("#source-body tbody tr").count() == 3


def test_a_refusal_shows_what_comes_nearest(open_page: Open) -> None:
    page = open_page()
    ask(page, "Is the kitchen painted blue?")
    expect(page.locator(".answer")).to_have_text("The documents do not answer this question.")
    assert page.locator(".answer .chip").count() == 0
    page.locator(".passage", has_text="Kitchen").first.click()
    expect(page.locator("#source-body")).to_contain_text("cleaned on Fridays")


def test_a_citation_of_another_program_opens_here(open_page: Open, base: str) -> None:
    body = {"model": "ragstone", "messages": [{"role": "user", "content": "When does the car park open?"}]}
    cited = httpx.post(f"{base}/v1/chat/completions", json=body, timeout=30).json()["citations"][0]
    page = open_page(cited["url"].removeprefix(base))
    page.locator("#source-body mark").first.wait_for()
    assert "".join(page.locator("#source-body mark").all_inner_texts()) == cited["quote"]
    page.goto(cited["url"].replace("start=", "start=9"))
    page.reload()
    expect(page.locator("#source-body")).to_contain_text("could not be located")
    assert page.locator("mark").count() == 0


def test_everything_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("When does the car park open, @off")
    expect(page.locator("#mention")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#narrowed button")).to_have_text("office.md ×")
    page.keyboard.press("Enter")
    chip = page.locator(".answer .chip").first
    chip.wait_for()
    while not chip.evaluate("chip => chip === document.activeElement"):
        page.keyboard.press("Shift+Tab")
    expect(page.locator("#quote")).to_contain_text("The car park opens at 7:30")
    page.keyboard.press("Enter")
    expect(page.locator("#source-body mark").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(chip).to_be_focused()


def test_settings_and_conversations_are_kept_until_they_are_forgotten(open_page: Open) -> None:
    page = open_page()
    ask(page, "When does the car park open?")
    page.click("#open-settings")
    page.select_option("#set-language", "zh")
    page.select_option("#set-theme", "dark")
    page.click("#settings button.main")
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#send")).to_have_text("提问")
    assert dark(page)
    page.select_option("#earlier", "0")
    expect(page.locator(".answer")).to_contain_text("The car park opens at 7:30")
    page.click("#open-settings")
    page.click("#forget-talks")
    expect(page.locator(".answer")).to_have_count(0)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#earlier")).to_be_hidden()


def dark(page: Page) -> bool:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) < 200


def test_a_document_is_forgotten(open_page: Open, files: Path) -> None:
    page = open_page()
    drop(page, files / "garden.md")
    page.hover('.tree li:has-text("garden.md")')
    page.click('.tree li:has-text("garden.md") .more')
    page.click('dialog[open] button:text-is("Forget")')
    expect(page.locator('.tree li:has-text("garden.md")')).to_have_count(0)


def test_what_cannot_be_read_is_said(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.4 and nothing more")
    page.set_input_files("#pick-files", [broken])
    expect(page.locator(".job li")).to_contain_text("broken.pdf")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_narrow_screens(open_page: Open, language: str) -> None:
    page = open_page(width=390, height=780, language=language, color_scheme="dark")
    assert dark(page)
    ask(page, "When does the car park open?")
    page.locator(".answer .chip").first.click()
    expect(page.locator("#source-body mark").first).to_be_in_viewport()
    expect(page.locator("#turns")).to_be_hidden()
    for tab in page.locator(".tabs button").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_script_in_a_document_stays_text(open_page: Open) -> None:
    page = open_page()
    ask(page, "What colour is the lamp?")
    page.locator(".answer .chip").first.click()
    expect(page.locator("#source-body mark").first).to_contain_text("The lamp is green.")
    assert page.locator("#source-body img, #source-body a, #source-body script").count() == 0


def test_without_javascript_the_page_says_so(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.locator(".noscript")).to_contain_text("This page needs JavaScript")
    expect(page.locator(".noscript")).to_contain_text("本页需要 JavaScript")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing(open_page: Open, scheme: str, language: str) -> None:
    """No violation of WCAG 2.2, level A or AA, in any state of the page."""
    page = open_page(language=language, color_scheme=scheme, reduced_motion="reduce")
    found = violations(page)
    ask(page, "When does the car park open?")
    found += violations(page)
    page.locator(".answer .chip").first.click()
    page.locator("#source-body mark").first.wait_for()
    found += violations(page)
    page.click("#open-settings")
    found += violations(page)
    page.goto(page.url.partition("#")[0] + "docs")
    page.locator("details").first.wait_for()
    found += violations(page)
    assert found == []


def violations(page: Page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    got = Axe().run(page, options={"runOnly": {"type": "tag", "values": levels}}).response
    return [f"{v['id']}: {node['html'][:100]}" for v in got["violations"] for node in v["nodes"]]
