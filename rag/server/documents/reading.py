"""A document as it was read: the text of its pages, and where a passage stands in it.

A file is shown only while it holds the very bytes that were ingested: no path that an index may hold
opens anything else. Where it is gone or changed, what the index keeps of it is shown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from ingest.loaders import LoadOptions
from ingest.pipeline import content_hash
from ingest.reader_pool import Reader
from rag.api import RAG
from rag.errors import LoadError, StoreError
from rag.server.documents.drawing import Drawing
from rag.server.documents.passages import (
    Spot,
    boxes_of,
    cut_around,
    join_pages,
    locate,
    page_at,
    page_from_chunks,
    quotation,
    rows_around,
)
from rag.server.failures import Failed
from rag.server.shapes import RowShape, TextReply, title_of
from rag.stores import CanDump
from rag.types import Chunk, Document, Page

KEPT_CHARS = 20_000_000
HASHES = 10_000
DRAWN = ("pdf", "image")


class Documents:
    """Reads documents again in a process of their own, and keeps the last ones read."""

    def __init__(self, options: LoadOptions) -> None:
        self._reader, self._reading = Reader(options), threading.Lock()
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, tuple[Page, ...]] = OrderedDict()
        self._hashes: dict[tuple[str, int, int], str] = {}
        self._drawing = Drawing()

    def close(self) -> None:
        self._reader.close()

    def file(self, document: Document) -> Path | None:
        """The document's file, None where it no longer holds what was ingested."""
        path = Path(document.path)
        try:
            stat = path.stat()
            if not path.is_file() or stat.st_size != document.size:
                return None
            key = (document.path, stat.st_size, stat.st_mtime_ns)
            if key not in self._hashes:
                if len(self._hashes) >= HASHES:
                    self._hashes.clear()
                self._hashes[key] = content_hash(path, document.type, ())
        except (OSError, ValueError):
            return None
        return path if self._hashes[key] == document.sha256 else None

    def unchanged(self, document: Document) -> bool:
        """Whether the file seems to be as it was read, by its size and time alone: for lists."""
        try:
            stat = Path(document.path).stat()
        except (OSError, ValueError):
            return False
        return (stat.st_size, stat.st_mtime_ns) == (document.size, document.modified)

    def png(self, rag: RAG, source: str, page: int, width: int) -> bytes:
        """A page of a PDF, or an image, as PNG. Raises Failed (404, 422)."""
        document = find(rag, source)
        path = self.file(document)
        if document.type not in DRAWN or path is None:
            raise Failed(
                404,
                "this page has no picture: it is of no PDF or image, or its file is gone or changed",
                "no_picture",
            )
        return self._drawing.png(path, document.sha256, page, width, document.type)

    def text(self, rag: RAG, source: str, spot: Spot) -> TextReply:
        """One page of a document with the passage's place in it. Raises Failed (404)."""
        document = find(rag, source)
        path, kept = self.file(document), _kept(rag, source)
        pages = self._read(path, document) if path else ()
        read = page_at(pages, kept, spot)
        page = read or page_from_chunks(kept, spot)
        if page is None:
            raise Failed(404, f"{source[:200]!r} has no page {spot.page}", "not_found")
        start, end = locate(page.text, spot, quotation(kept, spot))
        size = self._size(path, document, page) if path and document.type in DRAWN else None
        first, text = cut_around(page.text, start)
        numbers = {p.number for p in pages} or {chunk.page for chunk in kept}
        return TextReply(
            source=source,
            title=title_of(kept[0]) if kept else source,
            type=document.type,
            page=page.number,
            pages=sorted(number for number in numbers if number is not None),
            part=page.label,
            rows=[
                RowShape(row=each.label or "", text=each.text) for each in rows_around(pages, page, document.type)
            ],
            text=text,
            headings=[
                (h.offset - first, h.level, h.title) for h in page.headings if 0 <= h.offset - first < len(text)
            ],
            first=first,
            total=len(page.text),
            start=None if start is None else start - first,
            end=None if end is None else end - first,
            width=size[0] if size else None,
            height=size[1] if size else None,
            boxes=[] if start is None else boxes_of(kept, spot),
            whole=read is not None,
        )

    def _size(self, path: Path, document: Document, page: Page) -> tuple[float, float] | None:
        """In points; None where the page cannot be drawn."""
        try:
            return self._drawing.size(path, document.sha256, page.number or 1, document.type)
        except Failed:
            return None

    def _read(self, path: Path, document: Document) -> tuple[Page, ...]:
        """All pages of a file; () where it cannot be read now."""
        with self._lock:
            if document.sha256 in self._pages:
                self._pages.move_to_end(document.sha256)
                return self._pages[document.sha256]
        try:
            with self._reading:
                pages = join_pages(self._reader.load(path))
        except LoadError:
            return ()
        with self._lock:
            self._pages[document.sha256] = pages
            while self._pages and sum(len(p.text) for each in self._pages.values() for p in each) > KEPT_CHARS:
                self._pages.popitem(last=False)
        return pages


def find(rag: RAG, source: str) -> Document:
    """The document of that name in the index. Raises Failed (404)."""
    document = rag.store.documents().get(source)
    if document is None:
        raise Failed(404, f"the index has no document {source[:200]!r}", "not_found")
    return document


def _kept(rag: RAG, source: str) -> list[Chunk]:
    """The chunks of a document, where its engine can read them out."""
    if not isinstance(rag.store, CanDump):
        return []
    try:
        return rag.store.rows(source)[1]
    except StoreError:
        return []
