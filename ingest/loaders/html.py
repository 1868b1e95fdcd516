"""HTML: the text a reader sees, block by block; what is hidden from the eye is not read."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

from ingest.loaders.text import decode, is_utf8
from rag.types import Heading, Page

DROPPED = frozenset(
    {"script", "style", "noscript", "template", "nav", "head", "svg", "iframe", "object", "embed", "canvas"}
    | {"audio", "video", "button", "select", "textarea", "dialog"}
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


def read(path: Path) -> list[Page]:
    """One page: blocks on lines of their own, table rows as "a | b", h1 to h6 as headings.

    Left out: scripts, navigation, comments, form controls, and elements that their own attributes hide
    (hidden, aria-hidden, style). Style sheets are not applied, so what only they hide is read. The
    document's title is the first heading where there is no h1.
    """
    soup = _parse(_decode(path.read_bytes()))
    writer = _Writer()
    _write(soup.body or soup, writer)
    headings = writer.headings
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    if title and not any(heading.level == 1 for heading in headings):
        headings = [Heading(0, 1, " ".join(title.split())), *headings]
    return [Page("".join(writer.parts), headings=tuple(headings))]


def _parse(text: str) -> BeautifulSoup:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "looks like XML", "looks like a file name"
        return BeautifulSoup(text, "lxml")


def _decode(data: bytes) -> str:
    """A mark or valid UTF-8 decides, then what the page says of itself if it holds, then detection."""
    said = CHARSET.search(data[:4096])
    name = said[1].decode("ascii").lower() if said else ""
    encoding = ALIASES.get(name, name if KNOWN.fullmatch(name) else "")
    if encoding and not _certain(data):
        text = data.decode(encoding, errors="replace")
        if text.count("\ufffd") <= len(text) // 200:
            return text.replace("\r\n", "\n").replace("\r", "\n")
    return decode(data)


def _certain(data: bytes) -> bool:
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)) or b"\0" in data:
        return True
    return is_utf8(data)


class _Writer:
    """Text as a browser lays it out: blanks collapse, blocks are lines, cells of a row are joined."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.headings: list[Heading] = []
        self.length = 0
        self.gap = 0
        self.space = False
        self.cells: list[int] = []  # of each open table: cells so far in a row kept on one line, or -1

    def raw(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)
        self.gap, self.space = 0, False

    def text(self, text: str) -> None:
        text = text.replace("\u200b", "")
        words = " ".join(text.split())
        if not words:
            self.space = self.space or bool(text)
            return
        self.lead(text[0].isspace())
        self.raw(words)
        self.space = text[-1].isspace()

    def lead(self, space: bool = False) -> None:
        """Write what must stand before the next text: a gap between blocks, or a blank."""
        if self.gap and self.length:
            self.raw("\n" * self.gap)
        elif (self.space or space) and self.length and not self.parts[-1].endswith((" ", "\n")):
            self.raw(" ")

    def block(self, gap: int) -> None:
        if self.cells and self.cells[-1] >= 0:
            self.space = True
        else:
            self.gap = max(self.gap, gap)


def _write(body: Tag, out: _Writer) -> None:
    preformatted = 0
    marks: list[int] = []
    for node, opens in _events(body):
        if isinstance(node, NavigableString):
            out.text(str(node)) if not preformatted else _write_raw(str(node), out)
            continue
        gap = 2 if node.name in PARAGRAPHS else 1 if node.name in LINES else 0
        if gap:
            out.block(gap)
        if node.name == "pre":
            preformatted += 1 if opens else -1
        elif node.name in ("table", "tr", "td", "th"):
            _table(node, opens, out)
        elif HEADING.match(node.name):
            _heading(node, opens, out, marks)


def _write_raw(text: str, out: _Writer) -> None:
    if text:
        out.lead()
        out.raw(text)


def _heading(node: Tag, opens: bool, out: _Writer, marks: list[int]) -> None:
    if opens:
        marks.append(len(out.parts))
        return
    mark = marks.pop()
    written = "".join(out.parts[mark:])
    if title := " ".join(written.split()):
        at = out.length - len(written.lstrip())
        out.headings.append(Heading(at, int(node.name[1]), title))


def _table(node: Tag, opens: bool, out: _Writer) -> None:
    """A row of several cells becomes one line; a row of one cell is lay-out and keeps its blocks."""
    if node.name == "table":
        if opens:
            out.cells.append(-1)
        out.gap = max(out.gap, 2 if len(out.cells) == 1 else 1)
        if not opens:
            out.cells.pop()
    elif out.cells and node.name == "tr":
        several = opens and len(node.find_all(("td", "th"), recursive=False)) > 1
        out.cells[-1] = 0 if several else -1
        out.gap = max(out.gap, 1)
    elif out.cells and opens and out.cells[-1] >= 0:
        if out.cells[-1]:
            out.lead()
            out.raw("| " if out.parts[-1].endswith((" ", "\n")) else " | ")
        out.cells[-1] += 1


def _events(root: Tag) -> Iterator[tuple[Tag | NavigableString, bool]]:
    """Every visible element as it opens (True) and closes, and every text, without recursion."""
    stack = [(root, iter(root.children))]
    while stack:
        node = next(stack[-1][1], None)
        if node is None:
            yield stack.pop()[0], False
        elif isinstance(node, Tag):
            if not _hidden(node):
                yield node, True
                stack.append((node, iter(node.children)))
        elif type(node) is NavigableString:  # its subclasses are comments, scripts, declarations
            yield node, True


def _hidden(node: Tag) -> bool:
    if node.name in DROPPED or node.has_attr("hidden"):
        return True
    if str(node.get("aria-hidden", "")).lower() == "true":
        return True
    return bool(HIDING.search(str(node.get("style") or "")))
