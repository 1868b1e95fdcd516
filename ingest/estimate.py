"""What an ingest would send and how often, before anything is sent or written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.chunk import chunker_for
from ingest.discover import discover
from ingest.indexer import BATCH
from ingest.loaders import LoadOptions
from ingest.pipeline import describe, load_options
from ingest.reader_pool import Loaders
from ingest.title import with_title
from rag.config import Settings
from rag.embedders import CountsCalls, Embedder, KeepsVectors
from rag.errors import LoadError
from rag.text import embedding_text
from rag.types import Document

__all__ = ["Estimate", "estimate"]


@dataclass(slots=True)
class Estimate:
    """Files to read and their chunks; `tokens` of those to embed, in `calls` requests (0: a model right here).

    `cached` chunks have a vector already; `unread` files give nothing (empty, broken, of no known type).
    """

    files: int = 0
    chunks: int = 0
    tokens: int = 0
    calls: int = 0
    cached: int = 0
    unread: int = 0


def estimate(
    paths: Sequence[Path],
    embedder: Embedder,
    settings: Settings | None = None,
    *,
    csv_text: Sequence[str] = (),
    known: Mapping[str, Document] | None = None,
) -> Estimate:
    """Read and cut the files of `paths` as an ingest would, and count; `known` are the documents of the index.

    Tokens are those that `embedder` counts. Raises LoadError for a missing path, ConfigError.
    """
    settings = settings or Settings()
    chunker = chunker_for(embedder, settings)
    run = _Count(embedder)
    options = load_options(settings, csv_text)
    with Loaders(options) as loaders:
        for path, pages in loaders.load_all(_to_read(paths, known or {}, options, run.total)):
            chunks = chunker.chunks(path.name, with_title(path.name, pages))
            try:
                run.add(embedding_text(chunk) for chunk in chunks)
            except LoadError:
                run.total.unread += 1
            else:
                run.total.files += 1
    run.flush()
    return run.total


def _to_read(
    paths: Sequence[Path], known: Mapping[str, Document], options: LoadOptions, total: Estimate
) -> Iterator[Path]:
    """The files that an ingest would read: found, fit to be read, and not in the index as they are."""
    same = {(document.path, document.sha256) for document in known.values()}
    for path in {file.path: None for root in paths for file in discover(root).files}:
        try:
            document = describe(path.name, path, options)
        except LoadError:
            total.unread += 1
            continue
        if (document.path, document.sha256) not in same:
            yield path


@dataclass(slots=True)
class _Count:
    """Counts in the batches in which an ingest embeds."""

    embedder: Embedder
    total: Estimate = field(default_factory=Estimate)
    _waiting: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def add(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.total.chunks += 1
            self._waiting.append(text)
            if len(self._waiting) >= BATCH:
                self.flush()

    def flush(self) -> None:
        """Count what of the waiting texts would be sent."""
        texts = list(dict.fromkeys(self._waiting))
        if isinstance(self.embedder, KeepsVectors):
            texts = [text for text in self.embedder.missing(self._waiting) if text not in self._seen]
            self.total.cached += len(self._waiting) - len(texts)
        self.total.tokens += sum(self.embedder.count_tokens(texts))
        if isinstance(self.embedder, CountsCalls):
            self.total.calls += self.embedder.calls(texts)
        self._seen.update(texts)
        self._waiting.clear()
