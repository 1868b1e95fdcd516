"""Answers as plain text: what would load or lead away is shown, and does neither."""

from __future__ import annotations

import re

import pytest

from rag.text.sanitise import sanitise_answer, strip_invisible

EVIL = "https://evil.example/p.png?q=secret"
LIVE = re.compile(r"!\[|\]\(|<[a-z/!]|javascript:|data:|(?<!`)https?://|(?<![\w`/])www\.", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Yes. ![logo]({EVIL})", "Yes. [logo] (`evil.example/p.png?q=secret`)"),
        (f"[click here]({EVIL})", "[click here] (`evil.example/p.png?q=secret`)"),
        (f"See {EVIL}.", "See `evil.example/p.png?q=secret`."),
        (f"请看{EVIL}。", "请看`evil.example/p.png?q=secret`。"),
        (f"<{EVIL}>", "‹`evil.example/p.png?q=secret`>"),
        ("www.evil.example/x", "`evil.example/x`"),
        ("//evil.example/x", "`evil.example/x`"),
        ("ftp://evil.example", "`evil.example`"),
        ("[x](javascript:alert(1))", "[x] (javascript alert(1))"),
        ("[x](data:text/html;base64,AAAA)", "[x] (data text/html;base64,AAAA)"),
        ("[r]: https://evil.example/r", "[r] = `evil.example/r`"),
        ("![a][r]", "[a][r]"),
    ],
)
def test_what_leads_away_is_text(text: str, shown: str) -> None:
    assert sanitise_answer(text) == shown
    assert not LIVE.search(sanitise_answer(text))


@pytest.mark.parametrize(
    "text",
    [
        f'<img src="{EVIL}">',
        f"<IMG SRC='{EVIL}'",
        "<script>alert(1)</script>",
        "<iframe src=//evil.example></iframe>",
        f'<a href="{EVIL}">here</a>',
        "<svg onload=alert(1)>",
        f"!\u200b[x]({EVIL})",
        f"! [x] ( {EVIL} )",
        f"[![x]({EVIL})]({EVIL})",
        "<!-- x -->",
        f"<\u200bimg src={EVIL}>",
    ],
)
def test_nothing_loads(text: str) -> None:
    assert not LIVE.search(sanitise_answer(text))
    assert not LIVE.search(sanitise_answer(text, text.replace(EVIL, "")))


def test_a_link_of_the_source_stays_a_link() -> None:
    source = "Register at https://lanternhill.example/register, then wait."
    assert sanitise_answer("Register at https://lanternhill.example/register.", source).endswith("/register.")
    assert "https://lanternhill.example/register" in sanitise_answer(
        "[here](https://lanternhill.example/register)", source
    )
    longer = "https://lanternhill.example/register?name=Anna"
    assert "https://" not in sanitise_answer(f"Register at {longer}", source)
    assert "https://" not in sanitise_answer("Register at https://lanternhill.example/", source)


def test_a_picture_of_the_source_is_no_link() -> None:
    assert (
        sanitise_answer(f"Trees ![]({EVIL})", f"Trees ![]({EVIL})") == "Trees [] (`evil.example/p.png?q=secret`)"
    )


@pytest.mark.parametrize(
    "text",
    ["1 < 2 and 3 > 2", "a[0] (first)", "费用为 150 元，见第 3 页。", "Write to support@lanternhill.example.",
     "5 °C ± 1", "👩‍👩‍👧 and ❤️", "if x != y: z", "C:\\Users", "24/7", "E03：冷却 40 分钟", "x <= y", "and/or"],
)  # fmt: skip
def test_what_is_no_link_stays_as_it_is(text: str) -> None:
    assert sanitise_answer(text) == text


def test_what_no_reader_sees_is_taken_out() -> None:
    assert strip_invisible("ig\u200bno\u2060re \u202eabc\u202c\U000e0069") == "ignore abc"
    assert strip_invisible("忽\u200d略") == "忽略"


def test_long_text_takes_no_time() -> None:
    sanitise_answer("![" * 20_000)
    sanitise_answer("<a " * 20_000)
    sanitise_answer("http://" * 20_000, "http://" * 20_000)
