"""An index whose cluster embeds: the commands on a real server, by a script processor that makes vectors."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.embedder import CATS, EmbedderContract
from contracts.engine_store import one_line
from elasticsearch import Elasticsearch
from helpers.servers import elasticsearch_postgresql as servers

from rag import RAG
from rag.embedders import Embedder, load_embedder
from rag.embedders.hashed import HashedEmbedder
from rag.embedders.in_store import PipelineEmbedder
from rag.errors import ConfigError, EmbedderMismatch, RagError, StoreError
from rag.stores.elasticsearch.store import ElasticsearchStore
from rag.text import embedding_text
from rag.types import Vectors

pytestmark = pytest.mark.stores

QUESTION = "How long does the warranty of the Tern machine last?"
# A bag of words, hashed; the last number says that there is something at all.
WORDS = """
List v = new ArrayList();
for (int i = 0; i < 256; i++) { v.add(0.0); }
String text = ctx.passage.toLowerCase().replace('.', ' ').replace('?', ' ').replace(',', ' ').replace('。', ' ');
for (String word : text.splitOnToken(' ')) {
  int at = word.hashCode() % 255;
  if (at < 0) { at = -at; }
  if (word.length() > 0) { v.set(at, v.get(at) + 1.0); }
}
v.set(255, 0.1);
ctx.vector = v;
"""


@pytest.fixture
def client(elasticsearch_server: servers.Server) -> Iterator[Elasticsearch]:
    address = f"http://127.0.0.1:{elasticsearch_server.port}"
    with Elasticsearch(address, basic_auth=("elastic", servers.PASSWORD)) as found:
        yield found


def put(client: Elasticsearch, script: str, name: str = "", **more: str) -> str:
    """Make a pipeline of this script; its name."""
    name = name or f"p-{uuid.uuid4().hex[:8]}"
    client.ingest.put_pipeline(id=name, processors=[{"script": {"source": script}}], **more)
    return name


@pytest.fixture
def pipeline(client: Elasticsearch) -> str:
    return put(client, WORDS)


@pytest.fixture
def bare(elasticsearch_server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an index, without a pipeline."""
    monkeypatch.setenv("ELASTICSEARCH_PASSWORD", servers.PASSWORD)
    return f"elasticsearch://elastic@127.0.0.1:{elasticsearch_server.port}/t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def url(bare: str, pipeline: str) -> str:
    return f"{bare}?pipeline={pipeline}"


class TestPipelineEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self, url: str) -> Iterator[PipelineEmbedder]:
        store = ElasticsearchStore(url)
        yield PipelineEmbedder(store)
        store.close()

    def test_tokens_grow_with_the_text(self, embedder: Embedder) -> None:
        """tiktoken's: a word after a space is another token than the same word at the beginning."""
        assert embedder.count_tokens([CATS, f"{CATS} {CATS} {CATS}", ""]) == [9, 25, 0]


def test_the_commands(
    url: str, bare: str, pipeline: str, client: Elasticsearch, run_rag: Callable[..., Any], notes: Path
) -> None:
    first = run_rag("ingest", notes, "--index", url, "--json")
    assert (first.returncode, json.loads(first.stdout)["added"]) == (0, 4), first.stderr
    assert json.loads(run_rag("ingest", notes, "--index", url, "--json").stdout)["unchanged"] == 4
    hits = json.loads(run_rag("search", QUESTION, "--index", url, "--json").stdout)["hits"]
    assert hits[0]["source"] == "notes/warranty.txt"
    answer = json.loads(run_rag("ask", QUESTION, "--index", url, "--llm", "none", "--json").stdout)
    assert "lasts 24 months" in answer["answer"]
    assert answer["citations"][0]["source"] == "notes/warranty.txt"
    other = put(client, WORDS)
    for index, options, said in (
        (url, ["--embedder", "hashed"], f"the pipeline {pipeline} in the index's URL embeds, and so would "),
        (
            bare,
            ["--embedder", "hashed"],
            f"pipeline:{pipeline}, not with hashed: use ?pipeline={pipeline} in its URL",
        ),
        (bare, [], f"name it in the index's URL, as in elasticsearch://HOST/NAME?pipeline={pipeline}"),
        (f"{bare}?pipeline={other}", [], f"made with the embedder pipeline:{pipeline}, not with pipeline:{other}"),
    ):
        refused = run_rag("search", QUESTION, "--index", index, *options)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
        assert said in refused.stderr


def test_nothing_is_embedded_twice(url: str, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    embed = ElasticsearchStore.embed

    def recorded(self: ElasticsearchStore, texts: Sequence[str]) -> Vectors:
        asked.extend(texts)
        return embed(self, texts)

    monkeypatch.setattr(ElasticsearchStore, "embed", recorded)
    with RAG.open(url, llm="none") as rag:
        assert rag.ingest(notes).added == 4
        assert asked == ["dimension"]
        assert rag.search(QUESTION, 1)[0].chunk.source == "notes/warranty.txt"
        assert asked == ["dimension", QUESTION]
        assert isinstance(rag.store, ElasticsearchStore)
        _, chunks, vectors = rag.store.rows("notes/office.md")
        assert len(chunks) > 0
        made = rag.embedder.embed_documents([embedding_text(chunk) for chunk in chunks])
        assert np.sum(made * vectors, axis=1) == pytest.approx(np.ones(len(chunks)), abs=1e-3)


def test_a_pipeline_that_was_changed(url: str, pipeline: str, client: Elasticsearch, notes: Path) -> None:
    with RAG.open(url, llm="none") as rag:
        rag.ingest(notes)
    put(client, WORDS, pipeline, description="what it does is the same")
    with RAG.open(url, embedder=f"pipeline:{pipeline}", llm="none") as rag:
        assert rag.ingest(notes).unchanged == 4
    put(client, WORDS.replace("0.1", "0.2"), pipeline)
    with pytest.raises(EmbedderMismatch) as error:
        RAG.open(url, llm="none")
    one_line(error, f"pipeline:{pipeline} and weights", f"/new?pipeline={pipeline}")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ctx.vector = ctx.nothing.length()", "failed ("),
        ("ctx.other = 1", "makes no field `vector` of `passage`"),
        ("ctx.vector = [0.0, 0.0]", "made a vector of no length"),
    ],
)
def test_a_pipeline_that_makes_no_vectors(
    bare: str, script: str, said: str, client: Elasticsearch, notes: Path
) -> None:
    name = put(client, script)
    with RAG.open(f"{bare}?pipeline={name}", llm="none") as rag:
        with pytest.raises(StoreError) as error:
            rag.ingest(notes)
        one_line(error, f"the ingest pipeline {name} at 127.0.0.1", said)
        assert rag.store.manifest() is None


def test_no_such_pipeline(bare: str, notes: Path) -> None:
    with RAG.open(f"{bare}?pipeline=nowhere", llm="none") as rag:
        with pytest.raises(RagError) as error:
            rag.ingest(notes)
        one_line(error, "has no ingest pipeline nowhere: make it there")


def test_another_embedder_beside_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="and so would the embedder hashed: leave out --embedder"):
        RAG.open(url, embedder=HashedEmbedder(), llm="none")
    monkeypatch.setenv("RAG_EMBEDDER", "bilingual")
    with pytest.raises(ConfigError, match="and so would the embedder bilingual: leave out"):
        RAG.open(url, llm="none")


def test_it_is_not_to_be_had_without_its_store() -> None:
    with pytest.raises(
        ConfigError, match=r"'pipeline:p' embeds inside .* as in elasticsearch://HOST/NAME\?pipeline=p"
    ):
        load_embedder("pipeline:p")
