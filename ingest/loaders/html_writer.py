"""Text as a browser lays it out: blocks, lists, tables, links; `ingest.loaders.html` walks the page."""

from __future__ import annotations

import re

from bs4.element import NavigableString, Tag

from ingest.loaders.superscript import superscript
from rag.types import Heading

ABROAD = re.compile(r"(https?:)?//|mailto:", re.IGNORECASE)
FILE = re.compile(
    r"\.(zip|pdf|docx?|xlsx?|pptx?|csv|exe|msi|dmg|deb|rpm|tar|gz|7z|iso|apk|jar)(?:[?#]|$)|^mailto:", re.I
)
WEAK = re.compile(
    r"(here|this|link|this (link|page)|click here|download|more|read more|hier|ici|这里|此处|点击(这里)?|下载)",
    re.I,
)


class Writer:
    """Text as a browser lays it out: blanks collapse, blocks are lines, cells of a row are joined."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.headings: list[Heading] = []
        self.length = 0
        self.gap = 0
        self.space = False
        self.preformatted = 0  # open elements in which blanks and line breaks stay
        self.marks: list[int] = []  # of each open heading: the first of its parts
        self.cells: list[int] = []  # of each open table: cells so far in a row kept on one line, or -1
        self.lists: list[int] = []  # of each open list: the number of its next item, or 0 without numbers
        self.spans: list[dict[int, tuple[int, str]]] = []  # of each open table: column → (rows to come, text)

    def take(self, all_of_it: bool) -> str:
        """What is written, and is not kept any longer; but the end, which what follows looks at."""
        kept = 0 if all_of_it else 2
        done = max(0, len(self.parts) - kept)
        text = "".join(self.parts[:done])
        del self.parts[:done]
        return text

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


def superscript_text(node: NavigableString, out: Writer) -> str:
    """The text of a `<sup>` as letters that are no part of a number, "" elsewhere."""
    if node.parent is None or node.parent.name != "sup" or out.space or out.gap or not out.parts:
        return ""
    before, text = "".join(out.parts[-2:]), str(node).strip()
    return superscript(before, text) if text and not before[-1:].isspace() else ""


def write_list(node: Tag, opens: bool, out: Writer) -> None:
    if node.name == "li":
        if opens and out.lists and out.lists[-1]:
            own = str(node.get("value") or "")
            out.lists[-1] = int(own) if own.isdigit() and len(own) < 8 else out.lists[-1]
            out.text(f"{out.lists[-1]}. ")
            out.lists[-1] += 1
    elif opens:
        start = str(node.get("start") or "1")
        out.lists.append((int(start) if start.isdigit() and len(start) < 8 else 1) if node.name == "ol" else 0)
    elif out.lists:
        out.lists.pop()


def write_inline(node: Tag, opens: bool, out: Writer) -> None:
    """What a link leads to, what a picture shows, what is chosen in a form."""
    if node.name == "a" and not opens:
        address = " ".join(str(node.get("href") or "").split())[:300]
        shown = node.get_text(" ", strip=True)
        leads = address.removeprefix("mailto:")
        if (
            shown
            and leads not in shown
            and ((ABROAD.match(address) and WEAK.fullmatch(shown)) or FILE.search(address))
        ):
            out.text(f" ({leads})")
    elif node.name == "img" and opens and len(alt := " ".join(str(node.get("alt") or "").split())) > 3:
        out.text(f" [{alt}] ")
    elif node.name == "input" and opens:
        kind = str(node.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            out.text("☒ " if node.has_attr("checked") else "☐ ")
        elif kind in ("text", "number", "date", "email", "tel", "url") and node.get("value"):
            out.text(f" {node['value']} ")
    elif node.name == "option":
        out.space = True
        if opens and node.has_attr("selected"):
            out.text("☒ ")


def write_heading(node: Tag, opens: bool, out: Writer) -> None:
    if opens:
        out.marks.append(len(out.parts))
        return
    written = "".join(out.parts[out.marks.pop() :])
    if title := " ".join(written.split()):
        at = out.length - len(written.lstrip())
        out.headings.append(Heading(at, int(node.name[1]), title))


def write_table(node: Tag, opens: bool, out: Writer) -> None:
    """A row of several cells becomes one line; a row of one cell is lay-out and keeps its blocks."""
    if node.name == "table":
        if opens:
            out.cells.append(-1)
            out.spans.append({})
        out.gap = max(out.gap, 2 if len(out.cells) == 1 else 1)
        if not opens:
            out.cells.pop()
            out.spans.pop()
    elif out.cells and node.name == "tr":
        spans = out.spans[-1]
        several = opens and len(node.find_all(("td", "th"), recursive=False)) + len(spans) > 1
        if not opens and out.cells[-1] > 0:
            _merged(out)
        out.cells[-1] = 0 if several else -1
        out.gap = max(out.gap, 1)
    elif out.cells and opens and out.cells[-1] >= 0:
        _merged(out)
        _separate(out)
        rows = str(node.get("rowspan") or "1")
        if rows.isdigit() and 1 < int(rows) < 10_000:
            out.spans[-1][out.cells[-1]] = (int(rows) - 1, " ".join(node.get_text(" ", strip=True).split())[:200])
        out.cells[-1] += 1


def _separate(out: Writer) -> None:
    """What stands between two cells of a row."""
    if out.cells[-1]:
        out.lead()
        out.raw("| " if not out.parts or out.parts[-1].endswith((" ", "\n")) else " | ")


def _merged(out: Writer) -> None:
    """Write the cells of rows above that reach into this one, as far as the row has come."""
    spans = out.spans[-1]
    while (found := spans.get(out.cells[-1])) is not None:
        column, (rows, text) = out.cells[-1], found
        _separate(out)
        out.text(text)
        if rows > 1:
            spans[column] = (rows - 1, text)
        else:
            del spans[column]
        out.cells[-1] += 1
