"""A page that is too large to be held: parsed piece by piece, and what is finished of it is written and let go.

In: a file. Out: the parts of the page that `ingest.loaders.html` would make of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from bs4.builder._lxml import LXMLTreeBuilder
from bs4.element import PageElement, Tag

from ingest.loaders.html import encoding_of, events, is_hidden, is_text, write
from ingest.loaders.html_writer import Writer
from ingest.loaders.text import PIECE, pieces
from ingest.long_pages import MOST, end_of_part, headings_between
from rag.types import Heading, Page

# What may be looked into before all of it is there: its end is not needed to write its beginning.
HOLDERS = frozenset(
    {"html", "body", "div", "main", "section", "article", "form", "center", "table", "tbody", "thead", "tfoot"}
    | {"ul", "ol", "dl", "blockquote"}
)
CONTROLS = re.compile(
    rb"aria-controls\s*=\s*(?:\"([^\"]{0,500})\"|'([^']{0,500})'|([^\s>\"']{1,500}))", re.IGNORECASE
)


def stream(path: Path) -> Iterator[Page]:
    """The page in parts."""
    page = _Growing(_unfolded(path))
    for piece in pieces(path, encoding_of(path)):
        page.feed(piece)
        yield from page.parts()
    page.close()
    yield from page.parts(last=True)


def _unfolded(path: Path) -> set[str]:
    """The names of what a click unfolds, wherever in the page the click is."""
    names: set[str] = set()
    before = b""
    with path.open("rb") as file:
        while data := file.read(PIECE):
            for found in CONTROLS.finditer(before + data):
                names.update((found[1] or found[2] or found[3] or b"").decode("utf-8", "replace").split())
            before = data[-1000:]
    return names


class _Growing:
    """A page while it is parsed, and what was written of it."""

    def __init__(self, unfolded: set[str]) -> None:
        self._soup = BeautifulSoup("", "lxml")
        self._soup.reset()
        self._parser: Any = self._parser_of(self._soup)
        self._unfolded = unfolded
        self._within: list[Tag] = [self._soup]  # what is being written, each inside the one before
        self._title = ""
        self._out = Writer()
        self._rest, self._sent = "", 0

    @staticmethod
    def _parser_of(soup: BeautifulSoup) -> object:
        """The parser that fills `soup`, which can be given a page piece by piece."""
        builder = LXMLTreeBuilder()
        soup.builder = builder
        builder.initialize_soup(soup)
        return builder.parser_for(None)

    def feed(self, text: str) -> None:
        self._parser.feed(text)
        self._write()

    def close(self) -> None:
        self._parser.close()
        self._soup.endData()
        while self._soup.currentTag is not self._soup:
            self._soup.popTag()
        self._write()

    def parts(self, last: bool = False) -> Iterator[Page]:
        """What was written since the last time, in pages of some size."""
        self._rest += self._out.take(all_of_it=last)
        while len(self._rest) > MOST:
            yield self._page(end_of_part(self._rest, 0))
        if last and self._rest:
            yield self._page(len(self._rest))

    def _page(self, end: int) -> Page:
        text, self._rest = self._rest[:end], self._rest[end:]
        headings = self._out.headings
        if self._title and not any(heading.level == 1 for heading in headings):
            headings = [Heading(0, 1, self._title), *headings]
        inside = tuple(headings_between(headings, self._sent, self._sent + end))
        page = Page(text, headings=inside, title=self._title, offset=self._sent)
        self._sent += end
        return page

    def _write(self) -> None:
        """Write what has come, as far as it is finished, and take it out of the tree."""
        while self._within:
            node = self._within[-1]
            child = node.contents[0] if node.contents else None
            if child is None:
                if self._is_open(node):
                    return
                self._within.pop()
                if node is not self._soup:
                    self._node(node, opens=False)
                    node.extract()
            elif isinstance(child, Tag) and self._is_open(child):
                if child.name not in HOLDERS or is_hidden(child, self._unfolded):
                    return
                self._node(child, opens=True)
                self._within.append(child)
            else:
                self._finished(child)
                child.extract()

    def _finished(self, child: PageElement) -> None:
        if isinstance(child, Tag):
            if child.name == "head" and child.title:
                self._title = " ".join(child.title.get_text(" ", strip=True).split())
            if not is_hidden(child, self._unfolded):
                self._node(child, opens=True)
                for node, opens in events(child, self._unfolded):
                    write(node, opens, self._out)
        elif is_text(child):
            write(child, True, self._out)

    def _node(self, node: Tag, opens: bool) -> None:
        if node.name not in ("html", "body"):
            write(node, opens, self._out)

    def _is_open(self, node: Tag) -> bool:
        return any(each is node for each in self._soup.tagStack)
