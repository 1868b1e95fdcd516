"""EPUB: every chapter one page, in the order of the book."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from ingest.loaders import html
from ingest.loaders.package import Package
from rag.errors import LoadError, Skip
from rag.types import Page

_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PROTECTED = "META-INF/encryption.xml"


def read(path: Path) -> Iterator[Page]:
    """A page a chapter, labelled "chapter n" where it has no heading. A protected book: `Skip("encrypted")`."""
    package = Package(path, "epub")
    try:
        root = package.xml("META-INF/container.xml")
        name = next((str(e.get("full-path")) for e in root.iter("{*}rootfile")), "")
        if name not in package.names:
            raise LoadError("not a readable epub file: it names no book")
        book = package.xml(name)
        if _PROTECTED in package.names and b"xmlenc#" in package.read(_PROTECTED):
            raise Skip("encrypted")
        title = " ".join((book.findtext(f".//{_DC}title") or "").split())
        items = {e.get("id"): e for e in book.iter(f"{_OPF}item")}
        chapters = [items[e.get("idref")] for e in book.iter(f"{_OPF}itemref") if e.get("idref") in items]
        for number, item in enumerate(chapters, 1):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(item.get("href") or "")))
            if target not in package.names or "nav" in (item.get("properties") or "").split():
                continue
            page = html.page_of(package.read(target))
            yield replace(page, label=None if page.headings else f"chapter {number}", title=title)
            title = ""
    finally:
        package.close()
