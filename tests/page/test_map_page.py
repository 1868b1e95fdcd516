"""What a person does with a map: looks, searches, reads a passage, and finds nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from rag.space import Points, draw_map, with_question, write_page
from rag.types import Chunk, Document, Hit

pytestmark = pytest.mark.page
ABOUT = ("coffee grinder espresso", "tulip compost pruning", "税 发票 报销")


def written(folder: Path, language: str) -> Path:
    draw = np.random.default_rng(1)
    vectors = np.vstack([np.eye(3, 24)[i % 3] + draw.normal(0, 0.1, 24) for i in range(90)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [f"{ABOUT[i % 3]} {i} <img src=x onerror=alert(1)>" for i in range(90)]
    chunks = [Chunk(f"{'abc'[i % 3]}.md", text, 0, 9, i // 3) for i, text in enumerate(texts)]
    documents = {f"{s}.md": Document(f"{s}.md", str(folder / f"{s}.md"), s, 1, 1, "markdown", 30) for s in "abc"}
    drawn = draw_map(Points(chunks, vectors.astype(np.float32), documents))
    drawn = with_question(drawn, "espresso?", [Hit(1, 0.9, chunks[0], 0.9)])
    write_page(drawn, folder / "map.html", "Notes", "zh" if language == "zh" else "en", 0.9)
    return folder / "map.html"


@pytest.fixture
def page(browser: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The map opened from the disk; nothing may be fetched, no error said."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.on("dialog", lambda dialog: wrong.append(dialog.message))
    opened.on("request", lambda asked: wrong.append(asked.url) if not asked.url.startswith("file:") else None)
    opened.goto(written(tmp_path, getattr(request, "param", "en")).as_uri())
    expect(opened.locator("h1")).to_have_text("Notes")
    yield opened
    context.close()
    assert wrong == []


def test_look_search_and_read(page: Page) -> None:
    expect(page.locator("#count")).to_have_text("90 passages · 3 documents · 3 topics")
    expect(page.locator("#topics li")).to_have_count(3)
    page.keyboard.press("/")
    page.locator("#query").fill("compost 4")
    expect(page.locator("#found")).to_have_text("7 found")  # 4, 34, 40, 43, 46, 49, 64
    page.locator("#results button").first.click()
    expect(page.locator("#card.pinned mark").first).to_have_text("compost")
    expect(page.locator("#card a")).to_have_attribute("href", "./b.md")
    assert page.locator("#card img").count() == 0
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()
    expect(page.locator("#results button")).to_have_text(["◆ espresso?"])


def test_what_is_drawn(page: Page) -> None:
    """All three groups in the colour of their topic, light and dark; only one when it is chosen."""
    light = page.screenshot()
    page.locator("#topics button").first.click()
    expect(page.locator("#topics button").first).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(700)
    assert page.screenshot() != light
    page.keyboard.press("Escape")
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("page", ["zh"], indirect=True)
def test_in_chinese(page: Page) -> None:
    expect(page.locator("#count")).to_have_text("90 个段落 · 3 篇文档 · 3 个主题")
    page.locator("#query").fill("发票")
    expect(page.locator("#found")).to_have_text("找到 30 个")
