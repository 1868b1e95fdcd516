"""More like this, less like that."""

from __future__ import annotations

import json

import pytest
from conftest import Rag

from rag import RAG
from rag.errors import SpaceError
from rag.space.similar import find_similar
from rag.types import Where


def sources(hits: list) -> list[str]:  # type: ignore[type-arg]
    return [hit.chunk.source for hit in hits]


def test_a_text(rag: RAG) -> None:
    hits = find_similar(rag.store, rag.embedder, ["warranty of the boilers"], k=3)
    assert sources(hits)[0] == "notes/warranty.txt"
    assert [hit.rank for hit in hits] == [1, 2, 3]
    assert 1 >= hits[0].score >= hits[1].score >= hits[2].score >= 0


def test_a_source_is_not_like_itself(rag: RAG) -> None:
    hits = find_similar(rag.store, rag.embedder, ["notes/warranty.txt"], k=50)
    assert "notes/warranty.txt" not in sources(hits)
    assert set(sources(hits)) == {"notes/office.md", "notes/保修.md", "notes/people.csv"}


def test_documents_come_once(rag: RAG) -> None:
    hits = find_similar(rag.store, rag.embedder, ["the car park"], k=10, by="document")
    assert len(set(sources(hits))) == len(hits) == 4


@pytest.mark.parametrize("mode", ["average", "best"])
def test_less_like_that(rag: RAG, mode: str) -> None:
    both = ["coffee is free and the kitchen is cleaned", "the car park opens"]
    plain = find_similar(rag.store, rag.embedder, both, k=8, mode=mode)  # type: ignore[arg-type]
    turned = find_similar(rag.store, rag.embedder, both, both[1:], k=8, mode=mode)  # type: ignore[arg-type]
    before, after = (next(hit for hit in hits if "car park" in hit.chunk.text) for hits in (plain, turned))
    assert before.rank == 2
    assert after.score < before.score - 0.1
    assert "Coffee" in turned[0].chunk.text


def test_filters(rag: RAG) -> None:
    hits = find_similar(rag.store, rag.embedder, ["warranty"], where=Where(source="*.csv"))
    assert set(sources(hits)) == {"notes/people.csv"}


def test_bad_input(rag: RAG) -> None:
    with pytest.raises(SpaceError, match="nothing to be like"):
        find_similar(rag.store, rag.embedder, [])
    with pytest.raises(SpaceError, match=r"no source 'notes/gone\.txt'"):
        find_similar(rag.store, rag.embedder, ["notes/gone.txt"])


def test_command(index: str, run_rag: Rag) -> None:
    done = run_rag("similar", "notes/warranty.txt", "--documents", "--index", index, "--json")
    assert len(json.loads(done.stdout)["hits"]) == 3
    done = run_rag("similar", "notes/gone.txt", "--index", index)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
