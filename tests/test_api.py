"""`rag.RAG`: open, ingest, search, ask, stream, chat; many readers at once; the README's chatbot."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, Tree, environment
from helpers.scripted import ScriptedLLM

import rag.api
from rag import RAG, Answer, Hit, RagError, Where
from rag.embedders.hashed import HashedEmbedder
from rag.errors import ConfigError, EmbedderMismatch, IndexMissing, IndexVersion, StoreError
from rag.index import Index
from rag.stores import open_store
from rag.stores.common.manifest import new_index_url
from rag.text import TERMS

QUESTION = "How long is the warranty of the Tern machine?"
SCRIPT = {
    QUESTION: "The warranty of the Tern machine lasts 24 months.",
    "保修期是多久？": "保修期为二十四个月。",
    "When does the car park open?": "The car park opens at 7:30.",
}


def test_the_way_from_a_folder_to_an_answer(notes: Path, url: str) -> None:
    with RAG.open(url, embedder="hashed", llm=ScriptedLLM(SCRIPT), strictness=0.2) as opened:
        assert opened.ingest(notes).added == 4
        (hit,) = opened.search("parking", 1)
        assert isinstance(hit, Hit)
        assert hit.chunk.source == "notes/office.md"
        answer = opened.ask(QUESTION)
        assert answer.text == "The warranty of the Tern machine lasts 24 months. [1]"
        assert answer.citations[0].source == "notes/warranty.txt"
        *pieces, last = opened.stream("When does the car park open?")
        assert isinstance(last, Answer)
        assert "".join(map(str, pieces)) == last.text == "The car park opens at 7:30. [1]"
        chat = opened.chat()
        assert [chat.ask(QUESTION)] == chat.history


def test_upkeep_needs_no_model(index: str, tmp_path: Path) -> None:
    with Index.open(index) as opened:
        names = [document.source for document in opened.sources()]
        assert names == sorted(names)
        assert "notes/warranty.txt" in names
        status = opened.status()
        assert (status.index["url"], status.index["documents"]) == (index, len(names))
        assert status.as_json()["manifest"]["embedder"] == "hashed"
        assert status.as_json()["profile"]["reads_both"] is False  # of the local model
        target = f"faiss:{tmp_path / 'copied'}"
        assert opened.copy_to(target).documents == len(names)
        assert opened.forget("notes/*.csv", dry_run=True) == ["notes/people.csv"]
        assert opened.forget("notes/*.csv", "notes/warranty.txt") == ["notes/people.csv", "notes/warranty.txt"]
        assert len(opened.sources()) == len(names) - 2
        with pytest.raises(StoreError, match=r"no source 'else/\*'"):
            opened.forget("notes/office.md", "else/*")
        assert "notes/office.md" in [document.source for document in opened.sources()]
    with RAG.open(target, llm="none") as copied:
        assert [document.source for document in copied.sources()] == names


def test_filters(rag: RAG) -> None:
    assert {hit.chunk.source for hit in rag.search("warranty", 9, Where(type="csv"))} == {"notes/people.csv"}
    answer = rag.ask(QUESTION, Where(source="notes/office.md"))
    assert {citation.source for citation in answer.citations} <= {"notes/office.md"}


def test_paths_as_text(notes: Path, url: str) -> None:
    with RAG.open(url, embedder="hashed", llm="none") as opened:
        report = opened.ingest(str(notes), str(notes / "office.md"))
        assert (report.added, report.chunks) == (4, sum(d.chunks for d in opened.store.documents().values()))
        assert opened.ingest(notes, csv_text=("city",)).updated == 1


def test_an_index_remembers_its_embedder(index: str) -> None:
    with RAG.open(index, llm="none") as opened:
        assert opened.embedder.id == "hashed"
        assert opened.search("warranty", 1)


def test_another_embedder_is_refused(index: str) -> None:
    class Other(HashedEmbedder):
        id = "other"
        weights = "0123456789abcdef"

    with pytest.raises(EmbedderMismatch) as caught:
        RAG.open(index, embedder=Other())
    message = str(caught.value)
    assert "hashed" in message
    assert "other" in message
    assert "--embedder hashed" in message


def test_the_same_name_with_other_weights_is_refused(index: str) -> None:
    class Newer(HashedEmbedder):
        weights = "hashed-99"

    with pytest.raises(EmbedderMismatch, match=r"weights hashed-2.*weights hashed-99"):
        RAG.open(index, embedder=Newer())


def test_words_cut_by_another_version_are_refused(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.stores.common.manifest.TERMS", TERMS + 1)
    with pytest.raises(
        IndexVersion, match=rf"version {TERMS} .*version {TERMS + 1}: .*rag copy .*ingest the documents again"
    ):
        RAG.open(index, llm="none")


def test_nothing_ingested_yet(url: str, tmp_path: Path) -> None:
    with RAG.open(url, embedder="hashed", llm="none") as opened:
        for ask in (opened.search, opened.ask, opened.stream):
            with pytest.raises(IndexMissing, match=rf"there is no index at {re.escape(url)}: run `rag ingest"):
                ask("anything")
        with pytest.raises(IndexMissing):
            opened.chat()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": "redis-ish:x"}, "no store is reached by 'redis-ish'"),
        ({"embedder": "nobody"}, "no embedder is called 'nobody'"),
        ({"top_k": 0}, "top_k must be above 0"),
        ({"topk": 3}, "topk is no setting"),
    ],
)
def test_names_that_mean_nothing(url: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RAG.open(**{"index": url, "llm": "none", "embedder": "hashed", **options})  # type: ignore[arg-type]


def test_a_model_by_a_name_that_means_nothing(index: str) -> None:
    with RAG.open(index, llm="oracle:delphi") as opened:
        assert opened.search("warranty", 1)
        with pytest.raises(ConfigError, match="oracle:delphi"):
            opened.ask(QUESTION)
    assert issubclass(ConfigError, RagError)


def test_settings_from_the_environment(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_INDEX", index)
    monkeypatch.setenv("RAG_LLM", "none")
    with RAG.open(top_k=1) as opened:
        answer = opened.ask(QUESTION)
    assert (answer.model, len(answer.hits)) == ("none", 1)


def test_instances_are_used_as_they_are(index: str, hashed: HashedEmbedder) -> None:
    store, llm = open_store(index), ScriptedLLM(SCRIPT)
    with RAG.open(store, embedder=hashed, llm=llm, strictness=0.2) as opened:
        assert (opened.store, opened.embedder) == (store, hashed)
        opened.ask(QUESTION)
    assert len(llm.prompts) == 1
    assert llm.closed


def test_eight_readers_while_one_writes(index: str, tree: Tree) -> None:
    """Answers are those of the index before or after, never of something between."""
    more = tree({f"{n}.md": f"Filler number {n} says nothing of the matter." for n in range(30)}, "more")
    with RAG.open(index, llm=ScriptedLLM(SCRIPT), strictness=0.1) as opened:
        expected = [opened.ask(QUESTION).text, opened.ask("保修期是多久？").text]
        stop = threading.Event()

        def read(n: int) -> int:
            done = 0
            while not stop.is_set():
                hits = opened.search("parking", 3)
                assert hits[0].chunk.source == "notes/office.md"
                assert opened.ask([QUESTION, "保修期是多久？"][n % 2]).text == expected[n % 2]
                done += 1
            return done

        with ThreadPoolExecutor(8) as threads:
            readers = [threads.submit(read, n) for n in range(8)]
            try:
                assert opened.ingest(more).added == 30
                assert opened.ingest(more).unchanged == 30
            finally:
                stop.set()
            assert min(reader.result() for reader in readers) > 0


def test_threads_that_ask_at_once_load_one_model(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[ScriptedLLM] = []

    def load(name: str, seconds: float) -> ScriptedLLM:
        time.sleep(0.05)
        loaded.append(ScriptedLLM(SCRIPT))
        return loaded[-1]

    monkeypatch.setattr(rag.api, "load_llm", load)
    with RAG.open(index, llm="local", strictness=0.2) as opened, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(opened.ask, [QUESTION] * 8))
    assert len(loaded) == 1
    assert {answer.text for answer in answers} == {"The warranty of the Tern machine lasts 24 months. [1]"}


def chatbot(readme: Path) -> str:
    """The first Python block under the first heading that speaks of a chatbot."""
    text = readme.read_text(encoding="utf-8")
    heading = re.search(r"^#+ .*chatbot.*$", text, re.MULTILINE | re.IGNORECASE)
    assert heading, "README.md has no heading with the word chatbot"
    block = re.search(r"^```python\n(.*?)^```", text[heading.end() :], re.MULTILINE | re.DOTALL)
    assert block, "README.md has no Python block under its chatbot"
    return block.group(1)


@pytest.mark.models
def test_the_chatbot_of_the_readme(sample_index: str, tmp_path: Path) -> None:
    code = chatbot(ROOT / "README.md")
    assert "from rag import RAG" in code
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input="After how many kilograms of coffee should the burrs of the Wren grinder be replaced?\n"
        "燕鸥 2 每用水多少升会提示除垢？\n",
        cwd=tmp_path,
        env={**environment(), "RAG_INDEX": sample_index},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    assert "140" in done.stdout, done.stderr
    assert "450 kg" in done.stdout


@pytest.mark.parametrize(
    ("url", "new"),
    [
        ("faiss:data/index", "faiss:new"),
        ("postgresql://u@h/db?table=docs", "postgresql://u@h/db?table=new"),
        ("postgresql://h/db?sslmode=require", "postgresql://h/db?sslmode=require&table=new"),
        ("elasticsearch://h:9200/docs?pipeline=p", "elasticsearch://h:9200/new?pipeline=p"),
        ("milvus:file.db", "milvus:new"),
    ],
)
def test_a_new_index_beside_one(url: str, new: str) -> None:
    assert new_index_url(url) == new
    if new.startswith(("faiss", "elastic")):
        open_store(new).close()


def test_a_question_that_is_none(rag: RAG) -> None:
    for question in (None, 7, b"warranty"):
        with pytest.raises(RagError, match="a question is text, not"):
            rag.ask(question)  # type: ignore[arg-type]


def test_a_hit_says_its_source(rag: RAG) -> None:
    hit = rag.search("warranty of the Tern machine")[0]
    assert (hit.source, hit.text) == (hit.chunk.source, hit.chunk.text)
