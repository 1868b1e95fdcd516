"""A folder in BEIR's layout, and an index over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.chunk import chunker_for
from ingest.indexer import Indexer, manifest_for
from ingest.title import title_of
from rag.config import Settings
from rag.embedders import Embedder
from rag.errors import LoadError
from rag.stores import Store
from rag.types import Document, Page


@dataclass(frozen=True, slots=True)
class Beir:
    """A corpus with questions, and the graded relevance of its documents for them.

    `unanswerable` are those that no document answers.
    """

    corpus: list[dict[str, Any]]
    queries: list[dict[str, Any]]
    relevance: dict[str, dict[str, float]]
    unanswerable: list[dict[str, Any]] = field(default_factory=list)


def read_beir(folder: Path) -> Beir:
    """The set in `folder`; queries without relevant documents are left out. Raises LoadError."""
    try:
        relevance: dict[str, dict[str, float]] = {}
        for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            if float(grade) > 0:
                relevance.setdefault(query, {})[document] = float(grade)
        corpus = list(_lines(folder / "corpus.jsonl"))
        asked = list(_lines(folder / "queries.jsonl"))
        unanswerable = [q for q in asked if q.get("unanswerable")]
        queries = [q for q in asked if q["_id"] in relevance and not q.get("unanswerable")]
    except (OSError, ValueError, KeyError) as exc:
        raise LoadError(f"{folder} is no BEIR folder (corpus.jsonl, queries.jsonl, qrels.tsv): {exc}") from exc
    return Beir(corpus, queries, relevance, unanswerable)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def index_beir(store: Store, embedder: Embedder, beir: Beir, settings: Settings) -> None:
    """Ingest the corpus, each document under its title, which is guessed where there is none."""
    chunker = chunker_for(embedder, settings)
    with store.write(manifest_for(embedder, chunker)) as writer:
        indexer = Indexer(writer, embedder, chunker)
        for row in beir.corpus:
            page = Page(row["text"])
            page = replace(page, title=row.get("title") or title_of("", page))
            indexer.add(Document(row["_id"], "", "", len(row["text"]), 0, "text"), [page])
        indexer.flush()
