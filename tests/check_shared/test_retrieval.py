"""How well the default settings retrieve, by the product's own path: public sets, and real documentation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag import RAG
from rag.config import Settings
from rag.embedders import Embedder, load_embedder
from rag.evaluation.retrieval import evaluate_retrieval

if not os.environ.get("RAG_SHARED"):
    pytest.skip("RAG_SHARED is not set", allow_module_level=True)

SHARED = Path(os.environ["RAG_SHARED"])

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder("bilingual")


@pytest.mark.parametrize(
    ("name", "queries", "measure", "bar"),
    [
        ("xquad-en", 1190, "ndcg@10", 0.975),
        ("xquad-zh", 1190, "ndcg@10", 0.965),
        ("xquad-zh2en", 1190, "recall@5", 0.90),
        ("dureader-robust-dev", 1417, "ndcg@10", 0.86),
        ("financebench-pages", 150, "ndcg@10", 0.70),
    ],
)
def test_bars(embedder: Embedder, name: str, queries: int, measure: str, bar: float) -> None:
    figures = evaluate_retrieval(SHARED / "eval" / name, embedder, Settings())
    print(name, figures)  # noqa: T201
    assert figures["queries"] == queries
    assert figures[measure] >= bar, figures


@pytest.fixture(scope="module")
def vue(embedder: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RAG]:
    url = f"faiss:{tmp_path_factory.mktemp('vue') / 'index'}"
    with RAG.open(url, embedder=embedder, llm="none") as rag:
        report = rag.ingest(SHARED / "files" / "vue-zh", SHARED / "files" / "vue-en")
        assert report.failed == []
        assert {row["reason"] for row in report.skipped} == {"unsupported: no suffix"}
        yield rag


@pytest.mark.parametrize(
    ("question", "files"),
    [
        (
            "如何在组件之间传递数据？",
            {
                "vue-zh/src/guide/essentials/component-basics.md",
                "vue-zh/src/guide/components/props.md",
                "vue-zh/src/guide/components/provide-inject.md",
            },
        ),
        ("When is a computed property re-evaluated?", {"vue-en/src/guide/essentials/computed.md"}),
    ],
)
def test_documentation_of_vue(vue: RAG, question: str, files: set[str]) -> None:
    hits = vue.search(question, 5)
    print([(hit.chunk.source, hit.chunk.heading, round(hit.score, 3)) for hit in hits])  # noqa: T201
    assert {hit.chunk.source for hit in hits[:2]} & files


def test_the_passage_on_computed_properties_is_there(vue: RAG) -> None:
    hits = vue.search("When is a computed property re-evaluated?", 3)
    assert any("re-evaluate" in hit.chunk.text for hit in hits)


def test_what_the_documentation_does_not_say_scores_low(vue: RAG) -> None:
    asked = vue.search("When is a computed property re-evaluated?", 1)[0].score
    assert vue.search("Who won the 2022 World Cup?", 1)[0].score < asked
