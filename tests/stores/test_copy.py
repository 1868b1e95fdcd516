"""An index is copied to another embedder, and to newer terms, from the text that it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import EmbedderMismatch, IndexVersion
from rag.index import Index
from rag.text import TERMS, embedding_text


class Mirrored(HashedEmbedder):
    """Another embedder: wider, and what it computes differs."""

    id = "mirrored"
    dim = 300


@pytest.fixture
def filled(tmp_path: Path) -> str:
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(30):
        (docs / f"page{n}.md").write_text(f"# Page {n}\n\nValve {n} opens at {n * 7} bar.\n", "utf-8")
    url = f"faiss:{tmp_path}/index"
    with RAG.open(url, embedder="hashed", llm="none") as rag:
        rag.ingest(docs)
    for file in docs.iterdir():
        file.unlink()
    return url


def test_another_embedder_embeds_what_the_index_holds(filled: str, tmp_path: Path) -> None:
    target, other = f"faiss:{tmp_path}/bag", Mirrored()
    done: list[tuple[int, int]] = []
    with Index.open(filled) as old:
        copied = old.copy_to(target, lambda *counts: done.append(counts), other)
        again = old.copy_to(target, embedder=other)
    assert (copied.documents, copied.already, copied.dense, again.already) == (30, 0, 1.0, 30)
    assert done[-1] == (30, 30)
    with RAG.open(target, embedder=other, llm="none") as rag:
        assert rag.search("When does valve 11 open?", 1)[0].chunk.source == "docs/page11.md"
        _, chunks, vectors = rag.store.rows("docs/page11.md")  # type: ignore[attr-defined]
        assert np.allclose(vectors, other.embed_documents([embedding_text(c) for c in chunks]), atol=1e-3)
    with pytest.raises(EmbedderMismatch), RAG.open(target, embedder="hashed", llm="none") as rag:
        rag.search("valve")


def test_the_same_embedder_is_not_asked_again(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(HashedEmbedder, "embed_documents", refuse)
    with Index.open(filled) as old:
        assert old.copy_to(f"faiss:{tmp_path}/same", embedder="hashed").documents == 30


def test_terms_of_an_older_version_are_made_anew(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("rag.stores.common.manifest", "rag.stores.copy"):
        monkeypatch.setattr(f"{module}.TERMS", TERMS + 1)
    with pytest.raises(IndexVersion, match=rf"rag copy {filled} faiss:new"), RAG.open(filled, llm="none") as rag:
        rag.search("valve")
    target = f"faiss:{tmp_path}/newer"
    with Index.open(filled) as old:
        assert old.copy_to(target).searches == 20  # of vectors alone: terms of two versions are not compared
    with Index.open(target) as new:
        assert new.manifest().terms == TERMS + 1
