"""The same hits on a server as in the embedded store, on xquad-en and xquad-zh together (RAG_SHARED)."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from contracts.store import document
from helpers.servers import elasticsearch_postgresql as servers
from helpers.servers import qdrant_redis_milvus as more

from rag.embedders.hashed import HashedEmbedder
from rag.stores import Store, open_store
from rag.stores.copy import copy
from rag.text import TERMS, embedding_text, split_terms
from rag.types import Chunk, Manifest, Scored, Where

pytestmark = [
    pytest.mark.stores,
    pytest.mark.skipif(
        "RAG_SHARED" not in os.environ, reason="RAG_SHARED names the folder of the evaluation sets"
    ),
]
SETS = ("xquad-en", "xquad-zh")


def lines(name: str, file: str) -> list[dict[str, str]]:
    path = Path(os.environ["RAG_SHARED"]) / "eval" / name / file
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    embedder = HashedEmbedder()
    store = open_store(f"faiss:{tmp_path_factory.mktemp('exact')}")
    with store.write(Manifest(embedder.id, embedder.weights, embedder.dim, terms=TERMS)) as writer:
        for name in SETS:
            for row in lines(name, "corpus.jsonl"):
                source = f"{name}/{row['_id']}"
                chunk = Chunk(source, row["text"], 0, len(row["text"]), heading=(row.get("title") or "-",))
                writer.put(document(source), [chunk], embedder.embed_documents([embedding_text(chunk)]))
        writer.commit()
    yield store
    store.close()


@contextmanager
def running(engine: str) -> Iterator[int]:
    """The port of a server of that engine, which ends afterwards."""
    if engine in ("postgresql", "elasticsearch"):
        start = servers.postgres if engine == "postgresql" else servers.elasticsearch
        with start() as server:
            yield server.port
        return
    with servers.scratch() as folder:
        one = more.Server({"qdrant": more.qdrant, "redis": more.redis, "milvus": more.milvus}[engine], folder)
        try:
            yield one.port
        finally:
            one.stop()


@pytest.fixture(scope="module", params=["postgresql", "elasticsearch", "qdrant", "redis", "milvus"])
def remote(request: pytest.FixtureRequest, exact: Store) -> Iterator[Store]:
    name = f"x{uuid.uuid4().hex[:8]}"
    with running(request.param) as port, pytest.MonkeyPatch.context() as patch:
        for variable in ("PGPASSWORD", "ELASTICSEARCH_PASSWORD", "QDRANT_API_KEY", "REDIS_PASSWORD"):
            patch.setenv(variable, servers.PASSWORD)
        url = {
            "postgresql": f"postgresql://postgres@127.0.0.1:{port}/postgres?table={name}",
            "elasticsearch": f"elasticsearch://elastic@127.0.0.1:{port}/{name}",
        }.get(request.param, f"{request.param}://127.0.0.1:{port}/{name}")
        store = open_store(url)
        copied = copy(exact, store)
        assert (copied.documents, copied.dense) == (480, 1.0)
        yield store
        store.close()


@pytest.mark.parametrize("where", [None, Where(source="xquad-zh/*")])
def test_the_same_hits_in_the_same_order(exact: Store, remote: Store, where: Where | None) -> None:
    embedder = HashedEmbedder()
    for name in SETS:
        questions = [row["text"] for row in lines(name, "queries.jsonl")][::12]
        for question, vector in zip(questions, embedder.embed_queries(questions), strict=True):
            words = split_terms(question)
            same(exact, remote, exact.lexical(words, 20, where), remote.lexical(words, 20, where), 1e-5)
            same(exact, remote, exact.dense(vector, 20, where), remote.dense(vector, 20, where), 1e-3)


def same(exact: Store, remote: Store, a: Sequence[Scored], b: Sequence[Scored], near: float) -> None:
    """Rank by rank the same score; and the same chunk, unless another scores as it does or lies at the end."""
    assert [hit.score for hit in b] == pytest.approx([hit.score for hit in a], abs=near)
    sources = [
        [chunk.source for chunk in store.chunks([hit.id for hit in hits])]
        for store, hits in ((exact, a), (remote, b))
    ]
    scores = dict(zip(sources[0], (hit.score for hit in a), strict=True))
    last = a[-1].score if a else 0.0
    for before, after, hit in zip(*sources, b, strict=True):
        assert before == after or abs(scores.get(after, last) - hit.score) <= near
