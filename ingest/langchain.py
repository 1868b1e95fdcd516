"""Documents of LangChain's loaders, taken into the index beside the files that are read here."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ingest.chunk import chunker_for
from ingest.indexer import Indexer, manifest_for
from ingest.loaders import TYPES, UNSAFE
from ingest.report import IngestReport
from rag.config import Settings
from rag.embedders import Embedder
from rag.stores import Store
from rag.types import Document, Page

if TYPE_CHECKING:
    from langchain_core.documents import Document as Loaded

__all__ = ["ingest_documents"]


def ingest_documents(
    store: Store, embedder: Embedder, documents: Iterable[Loaded], settings: Settings
) -> IngestReport:
    """Put LangChain documents into `store`, those of one `source` together as its pages.

    A source whose text is as it was is left alone; one that is not among `documents` stays. Raises
    IndexLocked, EmbedderMismatch, and what the loader raises.
    """
    began, report = time.perf_counter(), IngestReport()
    found = _by_source(documents)
    chunker = chunker_for(embedder, settings)
    with store.write(manifest_for(embedder, chunker)) as writer:
        known = store.documents()
        indexer = Indexer(writer, embedder, chunker)
        for source, pages in found.items():
            document, old = _document(source, pages), known.get(source)
            if not pages:
                report.skipped.append({"source": source, "reason": "empty"})
                report.removed += writer.remove([source]) if old else 0
            elif old is not None and old.sha256 == document.sha256:
                report.unchanged += 1
            else:
                report.updated += old is not None
                report.added += old is None
                indexer.add(document, pages)
        indexer.flush()
    report.chunks, report.seconds = indexer.chunks, time.perf_counter() - began
    return report


def _by_source(documents: Iterable[Loaded]) -> dict[str, list[Page]]:
    """The pages of each source, blank ones left out; a document without a source is named by its content."""
    found: dict[str, list[Page]] = {}
    for document in documents:
        text = UNSAFE.sub(" ", document.page_content)
        digest = hashlib.sha256(text.encode()).hexdigest()
        source = str(document.metadata.get("source") or document.id or f"document-{digest[:12]}")
        pages = found.setdefault(UNSAFE.sub(" ", source), [])
        if text.strip():
            pages.append(Page(text, _number(document.metadata), label=_label(document.metadata)))
    return found


def _number(metadata: Mapping[str, Any]) -> int | None:
    """The page from 1: LangChain's PDF loaders count `page` from 0, Unstructured's `page_number` from 1."""
    for key, first in (("page_number", 0), ("page", 1)):
        value = metadata.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value + first
    return None


def _label(metadata: Mapping[str, Any]) -> str | None:
    row, title = metadata.get("row"), metadata.get("title")
    if isinstance(row, int):
        return f"row {row + 1}"
    return UNSAFE.sub(" ", title) if isinstance(title, str) and title.strip() else None


def _document(source: str, pages: list[Page]) -> Document:
    digest = hashlib.sha256(json.dumps([(p.text, p.number, p.label) for p in pages]).encode())
    kind = TYPES.get(PurePosixPath(source).suffix.lower(), "document")
    size = sum(len(page.text.encode()) for page in pages)
    # Not a path: what a folder's ingest does not find there must not take it out of the index.
    return Document(source, f"langchain:{source}", digest.hexdigest(), size, 0, kind)
