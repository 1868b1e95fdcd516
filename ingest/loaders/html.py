"""HTML: the text a reader sees, block by block; what is hidden from the eye is not read."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from bs4 import BeautifulSoup
from bs4.element import NavigableString, PageElement, Tag

from ingest.loaders.html_writer import (
    Writer,
    superscript_text,
    write_heading,
    write_inline,
    write_list,
    write_table,
)
from ingest.loaders.text import LARGE, decode, detect_file, is_utf8
from rag.types import Heading, Page

DROPPED = frozenset(
    {"script", "style", "noscript", "template", "nav", "head", "svg", "iframe", "object", "embed", "canvas"}
    | {"audio", "video", "textarea", "del", "s", "strike"}
)
PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "blockquote", "section", "article", "main"}
)
LINES = frozenset(
    {"div", "li", "dt", "dd", "hr", "br", "header", "footer", "aside", "figure", "figcaption", "form"}
    | {"fieldset", "address", "details", "summary", "caption", "body"}
)
HEADING = re.compile(r"h([1-6])$")
HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0?\.?0*\s*(?:;|!|$)|font-size\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
# Names as the web uses them; an encoding that is not here is detected instead of believed.
KNOWN = re.compile(r"windows-125\d|iso-8859-\d{1,2}|koi8-[ru]|euc-(jp|kr)")
ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5-hkscs": "big5hkscs",
    "shift_jis": "cp932",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
}


def read(path: Path) -> Iterator[Page]:
    """One page, a large one in parts: blocks on lines of their own, table rows as "a | b", h1 to h6 as headings.

    Left out: scripts, navigation, comments, what is struck out, and elements that their own attributes hide from
    everybody (hidden, aria-hidden, style), unless they are a part that a click unfolds. Style sheets are not
    applied, so what only they hide is read. Numbers of lists stand before their text; the address of a link to
    a file or another site, and what a picture shows, behind it. The title is the first heading if there is no h1.
    """
    if path.stat().st_size > LARGE:
        from ingest.loaders.html_stream import stream

        yield from stream(path)
    else:
        yield page_of(path.read_bytes())


def page_of(data: bytes) -> Page:
    """The page that these bytes make."""
    soup = _parse(_decode(data))
    writer = Writer()
    unfolded = {name for node in soup.select("[aria-controls]") for name in _ids(node)}
    for node, opens in events(soup.body or soup, unfolded):
        write(node, opens, writer)
    headings = writer.headings
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    if title and not any(heading.level == 1 for heading in headings):
        headings = [Heading(0, 1, " ".join(title.split())), *headings]
    return Page("".join(writer.parts), headings=tuple(headings), title=" ".join(title.split()))


def _parse(text: str) -> BeautifulSoup:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "looks like XML", "looks like a file name"
        return BeautifulSoup(text, "lxml")


def _decode(data: bytes) -> str:
    """A mark or valid UTF-8 decides, then what the page says of itself if it holds, then detection."""
    encoding = _said(data)
    if encoding and not _certain(data):
        text = data.decode(encoding, errors="replace")
        if text.count("\ufffd") <= len(text) // 200:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    return decode(data)


def _said(data: bytes) -> str:
    """The encoding that a page says it has, "" for none that we know."""
    said = CHARSET.search(data[:4096])
    name = said[1].decode("ascii").lower() if said else ""
    return ALIASES.get(name, name if KNOWN.fullmatch(name) else "")


def encoding_of(path: Path) -> str:
    """The same of a large file, "" where a mark or its bytes say better."""
    with path.open("rb") as file:
        said = _said(file.read(4096))
    return "" if detect_file(path)[0].startswith("utf") else said


def _certain(data: bytes) -> bool:
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)) or b"\0" in data:
        return True
    return is_utf8(data)


def write(node: Tag | NavigableString, opens: bool, out: Writer) -> None:
    """Write a text, or what an element means as it opens or closes."""
    if isinstance(node, NavigableString):
        if mark := superscript_text(node, out):
            out.raw(mark)
        elif out.preformatted:
            _write_raw(str(node), out)
        else:
            out.text(str(node))
        return
    gap = 2 if node.name in PARAGRAPHS else 1 if node.name in LINES else 0
    if gap:
        out.block(gap)
    if node.name == "pre":
        out.preformatted += 1 if opens else -1
    elif node.name in ("table", "tr", "td", "th"):
        write_table(node, opens, out)
    elif HEADING.match(node.name):
        write_heading(node, opens, out)
    elif node.name in ("ol", "ul", "li"):
        write_list(node, opens, out)
    elif node.name in ("a", "img", "input", "option"):
        write_inline(node, opens, out)


def _write_raw(text: str, out: Writer) -> None:
    if text:
        out.lead()
        out.raw(text)


def events(root: Tag, unfolded: set[str]) -> Iterator[tuple[Tag | NavigableString, bool]]:
    """Every visible element as it opens (True) and closes, and every text, without recursion."""
    stack = [(root, iter(root.children))]
    while stack:
        node = next(stack[-1][1], None)
        if node is None:
            yield stack.pop()[0], False
        elif isinstance(node, Tag):
            if not is_hidden(node, unfolded):
                yield node, True
                stack.append((node, iter(node.children)))
        elif is_text(node):
            yield node, True


def is_text(node: PageElement | None) -> TypeGuard[NavigableString]:
    """Whether a reader sees it: the subclasses are comments, scripts, declarations."""
    return type(node) is NavigableString


def is_hidden(node: Tag, unfolded: set[str]) -> bool:
    if node.name in DROPPED:
        return True
    if node.get("role") == "tabpanel" or node.get("id") in unfolded or node.name in ("details", "dialog"):
        return False  # a click shows it
    if node.has_attr("hidden") or str(node.get("aria-hidden", "")).lower() == "true":
        return True
    return bool(HIDING.search(str(node.get("style") or "")))


def _ids(node: Tag) -> list[str]:
    return str(node.get("aria-controls") or "").split()
