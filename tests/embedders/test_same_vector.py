"""Same text, same vector: an index does not depend on what was ingested together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from rag import RAG
from rag.stores import CanDump
from rag.types import Vectors

DOCS = ROOT / "data" / "docs"


def vectors(rag: RAG) -> dict[str, Vectors]:
    assert isinstance(rag.store, CanDump)
    return {source: rag.store.rows(source)[2] for source in rag.store.documents()}


@pytest.mark.models
def test_at_once_and_file_by_file(tmp_path: Path) -> None:
    with RAG.open(f"faiss:{tmp_path / 'one'}", llm="none") as one:
        one.ingest(DOCS)
        at_once = vectors(one)
        hits = [(hit.score, hit.chunk.text) for hit in one.search("How long is the warranty of the Tern?")]
    with RAG.open(f"faiss:{tmp_path / 'other'}", llm="none") as other:
        for path in sorted(DOCS.rglob("*.*"), reverse=True):
            other.ingest(path)
        other.ingest(DOCS)  # which gives the files their names
        in_steps = vectors(other)
        again = [(hit.score, hit.chunk.text) for hit in other.search("How long is the warranty of the Tern?")]
    assert at_once.keys() == in_steps.keys()
    assert [name for name in at_once if not np.array_equal(at_once[name], in_steps[name])] == []
    assert again == hits
