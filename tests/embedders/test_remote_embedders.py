"""Embedders behind an address: against a real llama.cpp server, and against recorded answers for the limits."""

from __future__ import annotations

import gc
import logging
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from contracts.embedder import CATS, EmbedderContract, assert_unit_rows
from helpers.minigguf import write_minilm
from helpers.servers.http import LLAMA, Reply, Request, answering, running
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from pydantic import SecretStr

from ingest.estimate import estimate
from ingest.pipeline import ingest
from rag.config import Settings
from rag.embedders import Embedder, load_embedder
from rag.embedders.hashed import HashedEmbedder
from rag.embedders.remote.base import Limits, RemoteEmbedder, RequestFailed
from rag.embedders.remote.cache import CachedEmbedder
from rag.embedders.remote.langchain import adopt, wrap
from rag.embedders.remote.openai import OFFICIAL_LIMITS, compatible
from rag.embedders.remote.vectorfile import VectorFile
from rag.errors import ConfigError, EmbedderError, ModelError
from rag.network.endpoint import Endpoint
from rag.network.failures import Failure, failure
from rag.network.retry import RetryPolicy
from rag.network.tokens import count, encoding_for
from rag.stores import open_store
from rag.weights.cache import model_path

KEY = "sk-test-0123456789abcdef-secret"
WEATHER = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
VARIABLES = ("RAG_OPENAI_EMBEDDINGS_URL", "RAG_OPENAI_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY")
QUICK = RetryPolicy(first=0.01, longest=2)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, address or cache of whoever runs the tests."""
    for name in (*VARIABLES, "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL", "OLLAMA_HOST", "RAG_VECTOR_CACHE_MB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAG_VECTOR_CACHE", str(tmp_path / "vectors.sqlite"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    gguf = write_minilm(model_path("all-MiniLM-L6-v2"), tmp_path_factory.mktemp("gguf") / "minilm.gguf")
    with running(LLAMA, str(gguf), KEY, "embedding") as address:
        yield address


class _ByTiktoken(EmbedderContract):
    def test_tokens_grow_with_the_text(self, embedder: Embedder) -> None:
        """A word after a space is another token than the same word at the beginning."""
        one, three, none = embedder.count_tokens([CATS, f"{CATS} {CATS} {CATS}", ""])
        assert (one, three, none) == (9, 25, 0)


@pytest.mark.models
class TestLlamaCpp(_ByTiktoken):
    """all-MiniLM-L6-v2 served by llama.cpp behind OpenAI's endpoint."""

    @pytest.fixture
    def embedder(self, server: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("RAG_VECTOR_CACHE", "off")
        return load_embedder("openai:minilm?max_tokens=300")

    def test_the_numbers_are_the_models(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(WEATHER)
        cosines = vectors @ vectors.T
        assert cosines[np.triu_indices(3, 1)] == pytest.approx([0.666, 0.105, 0.141], abs=1e-3)

    def test_a_window_told_too_large_is_found_out(
        self, server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The server refuses more than its 512 tokens: the text is cut until it fits, which is said once."""
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        embedder = load_embedder("openai:minilm?max_tokens=2000")
        with caplog.at_level(logging.WARNING):
            vectors = embedder.embed_documents(["cats sleep. " * 400, "tax. " * 700, WEATHER[0]])
        assert_unit_rows(vectors, 3, 384)
        assert [r.message for r in caplog.records if "is cut there" in r.message] == [
            "openai:minilm?max_tokens=2000: a text is longer than the model's window and is cut there (said once)"
        ]

    def test_a_wrong_key(self, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
        embedder = load_embedder("openai:minilm")
        with pytest.raises(EmbedderError, match=r"refused the key \(401\): check OPENAI_API_KEY") as error:
            embedder.embed_queries(["q"])
        assert "somebody" not in str(error.value) + repr(error.value) + repr(embedder)


def vector(text: str, dim: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(crc32(text.encode())).normal(size=dim)]


def openai_reply(request: Request) -> Reply:
    """The wire format of `POST /v1/embeddings`."""
    body = request.body
    dim = body.get("dimensions") or 1024
    data = [
        {"object": "embedding", "index": i, "embedding": vector(text, dim)} for i, text in enumerate(body["input"])
    ]
    return Reply(
        {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    )


def dashscope_reply(request: Request) -> Reply:
    """As DashScope answers: it takes 10 texts of v3 and v4, 25 of the others, and no empty one."""
    most = 10 if request.body["model"][-1] in "34" else 25
    bad = len(request.body["input"]) > most or not all(request.body["input"])
    if bad:
        message = f"<400> InvalidParameter: batch size is invalid, it should not be larger than {most}."
        return Reply({"error": {"message": message, "type": "InvalidParameter", "code": "InvalidParameter"}}, 400)
    if request.body["model"][-1] in "12":
        assert "dimensions" not in request.body
        request.body["dimensions"] = 1536
    return openai_reply(request)


@pytest.mark.parametrize(
    ("name", "texts", "dim", "tokens"),
    [
        ("text-embedding-v3", 10, 1024, 8192),
        ("text-embedding-v4?dimensions=512", 10, 512, 8192),
        ("text-embedding-v3?dimensions=768", 10, 768, 8192),
        ("text-embedding-v2", 25, 1536, 2048),
        ("text-embedding-v1", 25, 1536, 2048),
    ],
)
def test_dashscope_keeps_its_limits(
    name: str, texts: int, dim: int, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(dashscope_reply) as (address, got):
        monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
        monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{address}/v1/")
        embedder = load_embedder(f"dashscope:{name}")
        said = [f"第 {n} 段" for n in range(57)] + ["", "太长" * 9000]
        vectors = embedder.embed_documents(said)
    assert_unit_rows(vectors, 59, dim)
    assert (embedder.dim, embedder.max_tokens, embedder.id) == (dim, tokens, f"dashscope:{name}")
    sizes = sorted((len(r.body["input"]) for r in got), reverse=True)
    assert sizes == [texts] * (59 // texts) + [59 % texts]
    assert {r.path for r in got} == {"/v1/embeddings"}
    assert {r.headers["Authorization"] for r in got} == {f"Bearer {KEY}"}
    assert all(r.body["encoding_format"] == "float" for r in got)
    sent = [text for r in got for text in r.body["input"]]
    assert "." in sent  # a blank text is refused there
    assert max(count(encoding_for("", "cl100k_base"), text) for text in sent) <= tokens
    for row in (0, 31, 56):  # whatever request it went with
        expected = np.array(vector(said[row], dim))
        assert vectors[row] @ (expected / np.linalg.norm(expected)) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dashscope:text-embedding-v9", "has no embedding model 'text-embedding-v9': use text-embedding-v4"),
        ("dashscope:text-embedding-v3?dimensions=2048", "has no 2048 dimensions: use 1024, 768, 512"),
        ("dashscope:text-embedding-v3?size=1", "has an option 'size': use dimensions"),
        ("openai:text-embedding-3-small?dimensions=1537", "at most 1,536"),
        ("openai:text-embedding-3-small?dimensions=-1", "must be a whole number above 0, not '-1'"),
        ("openai:text-embedding-ada-002?dimensions=512", "always 1,536"),
        ("openai:", "needs a model, as in openai:NAME"),
        ("bge-m3:x", "no embedder is called 'bge-m3:x'"),
        ("langchain:FakeEmbeddings", "pass it in Python"),
        ("modelscope:bge-m3", "use OWNER/NAME"),
        ("cohere:embed", "no embedder is called 'cohere:embed'"),
    ],
)
def test_names_that_cannot_be_used(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    with pytest.raises(ConfigError, match=words):
        load_embedder(name)


def test_keys_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="openai:text-embedding-3-large needs a key: set OPENAI_API_KEY"):
        load_embedder("openai:text-embedding-3-large")
    with pytest.raises(ConfigError, match="set DASHSCOPE_API_KEY"):
        load_embedder("dashscope:text-embedding-v4")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    large = load_embedder("openai:text-embedding-3-large")
    assert (large.dim, large.max_tokens) == (3072, 8191)
    assert load_embedder("openai:text-embedding-3-large?dimensions=512").dim == 512
    assert KEY not in repr(large) + str(vars(large)) + str(vars(large.inner))  # type: ignore[attr-defined]
    weights = {load_embedder(f"openai:{n}").weights for n in ("text-embedding-3-large", "text-embedding-3-small")}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert load_embedder("openai:text-embedding-3-large").weights not in weights
    monkeypatch.setenv("OPENAI_BASE_URL", "127.0.0.1:1")
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL must be an address like"):
        load_embedder("openai:m")


def test_openai_gets_text_within_its_limits() -> None:
    """2,048 texts and 300,000 tokens a request, and what is cut is 8,191 tokens long."""
    with answering(openai_reply) as (address, got):
        endpoint = Endpoint("openai:text-embedding-3-small", f"{address}/v1", SecretStr(KEY))
        embedder = compatible(endpoint, "text-embedding-3-small", OFFICIAL_LIMITS, 8, dim=8)
        assert embedder.embed_documents([f"t{n}" for n in range(3000)]).shape == (3000, 8)
        embedder.embed_documents([f"{n} " + "word " * 9000 for n in range(50)])
    encoding = encoding_for("text-embedding-3-small")
    assert encoding.name == "cl100k_base"
    assert sorted(len(r.body["input"]) for r in got[:2]) == [952, 2048]  # two at a time
    for request in got:
        assert all(isinstance(text, str) for text in request.body["input"])
        assert sum(count(encoding, text) for text in request.body["input"]) <= 300_000
        assert request.body["dimensions"] == 8
    assert sorted(len(r.body["input"]) for r in got[2:]) == [14, 36]
    assert max(count(encoding, text) for text in got[2].body["input"]) == 8191
    assert embedder.calls([f"{n} " + "word " * 9000 for n in range(50)]) == 2


def remote(address: str, policy: RetryPolicy = QUICK, parallel: int = 1, texts: int = 4) -> RemoteEmbedder:
    endpoint = Endpoint("openai:m", f"{address}/v1", SecretStr(KEY), "OPENAI_API_KEY", "OPENAI_BASE_URL", 5)
    made = compatible(endpoint, "m", Limits(100, texts, 10_000, parallel), None)
    made._patience = policy
    return made


class TestPatience:
    """What the server says decides: wait, give up, or never mind."""

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_it_is_asked_again(self, status: int) -> None:
        def reply(request: Request) -> Reply:
            return Reply({"error": {"message": "busy"}}, status) if len(got) < 4 else openai_reply(request)

        with answering(reply) as (address, got):
            assert_unit_rows(remote(address).embed_documents(["a"]), 1, 1024)
        assert len(got) == 4

    def test_retry_after_is_kept(self) -> None:
        times: list[float] = []

        def reply(request: Request) -> Reply:
            times.append(time.monotonic())
            if len(times) == 1:
                return Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "1"})
            return openai_reply(request)

        with answering(reply) as (address, _):
            remote(address).embed_documents(["a"])
        assert 1.0 <= times[1] - times[0] < 3

    def test_a_wait_that_is_too_long_is_not_waited(self) -> None:
        busy = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "3600"})
        begin = time.monotonic()
        with answering(lambda _: busy) as (address, got), pytest.raises(EmbedderError, match="asks for 3600 s"):
            remote(address).embed_documents(["a"])
        assert len(got) == 1
        assert time.monotonic() - begin < 5

    def test_it_ends(self) -> None:
        busy = Reply({"error": {"message": "overloaded"}}, 503)
        with answering(lambda _: busy) as (address, got), pytest.raises(RequestFailed) as error:
            remote(address).embed_documents(["The first text of all that is asked for, at length", "b"])
        assert len(got) == QUICK.tries
        assert "embedding “The first text of all that is asked for,” and 1 more" in str(error.value)
        assert error.value.texts[1] == "b"

    @pytest.mark.parametrize(
        ("status", "message", "words"),
        [
            (401, f"Incorrect API key provided: {KEY}", r"refused the key \(401\): check OPENAI_API_KEY"),
            (429, "You exceeded your current quota: insufficient_quota", "no credit left"),
            (404, "The model `m` does not exist", "knows no such model"),
            (400, f"bad {KEY} request", r"failed: .*bad \*\*\* request"),
        ],
    )
    def test_what_no_waiting_cures(self, status: int, message: str, words: str) -> None:
        body = Reply({"error": {"message": message}}, status)
        with answering(lambda _: body) as (address, got), pytest.raises(EmbedderError, match=words) as error:
            remote(address).embed_documents([f"text with {KEY}"])
        assert len(got) == 1
        assert KEY not in str(error.value)
        assert "\n" not in str(error.value)

    def test_nobody_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with pytest.raises(
            EmbedderError, match=rf":{port}/v1 cannot be reached: check the address \(OPENAI_BASE_URL\)"
        ):
            remote(f"http://127.0.0.1:{port}").embed_documents(["a"])

    def test_no_answer(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            embedder = remote(f"http://127.0.0.1:{silent.getsockname()[1]}", RetryPolicy(connections=1))
            embedder._endpoint = type(embedder._endpoint)("openai:m", embedder._endpoint.address, timeout=0.3)
            engine = embedder._engine
            engine.client._client.timeout = 0.3  # type: ignore[attr-defined]
            with pytest.raises(EmbedderError, match=r"did not answer within 0\.3 s"):
                embedder.embed_documents(["a"])

    def test_connections_end_with_the_embedder(self) -> None:
        """Also where it goes in a ring of references, as after an error: the order of a ring's ends is open."""
        with answering(openai_reply) as (address, _got):
            embedder = remote(address)
            embedder.embed_documents(["a"])
            client = embedder._engine.client._client  # type: ignore[attr-defined]
            ring: list[object] = [embedder]
            ring.append(ring)
            assert not client.is_closed()
            del embedder, ring
            gc.collect()
            assert client.is_closed()

    def test_waits_grow_and_end(self) -> None:
        policy, busy = RetryPolicy(), Failure("server", "busy", 503)
        waits = [policy.wait(tried, busy) for tried in range(1, 7)]
        for n, wait in enumerate(waits[:5]):
            assert wait is not None
            assert 0.25 * 2**n <= wait <= 0.5 * 2**n
        assert waits[5] is None
        assert policy.wait(3, Failure("unreachable", "refused")) is None

    def test_an_answer_that_is_none(self) -> None:
        for data in ([], [{"index": 0, "embedding": []}], [{"index": 0, "embedding": [0.0, 0.0]}]):
            body = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
            with answering(lambda _, b=body: Reply(b)) as (address, _got), pytest.raises(EmbedderError):  # type: ignore[misc]
                remote(address).embed_documents(["a"])


def test_failures_by_their_words() -> None:
    def said(text: str, status: int | None = None) -> str:
        error = RuntimeError(text)
        error.status_code = status  # type: ignore[attr-defined]
        return failure(error).kind

    too_long = [
        "This model's maximum context length is 8192 tokens, however you requested 10000 tokens",
        "the input length exceeds the context length",
        "input is too large to process. increase the physical batch size",
        "InternalError.Algo.InvalidParameter: Range of input length should be [1, 2048]",
        "input (722 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
    ]
    assert [said(text, 400) for text in too_long] == ["length"] * 5
    assert said("too many requests", 429) == "rate"
    assert failure(ssl.SSLCertVerificationError("self-signed certificate")).kind == "certificate"
    assert failure(ConnectionRefusedError("refused")).kind == "unreachable"
    assert failure(TimeoutError()).kind == "timeout"


class TestParallel:
    def test_no_request_is_begun_after_one_failed(self) -> None:
        def reply(request: Request) -> Reply:
            if "bad" in request.body["input"]:
                return Reply({"error": {"message": "no"}}, 400)
            time.sleep(0.02)
            return openai_reply(request)

        with answering(reply) as (address, got):
            embedder = remote(address, parallel=2, texts=1)
            rows: list[int] = []
            with pytest.raises(RequestFailed) as error:
                for some, _ in embedder.embed_batches(["a", "b", "bad", *(str(n) for n in range(50))]):
                    rows += some
        assert error.value.texts == ("bad",)
        assert rows[:2] == [0, 1]
        assert len(got) < 12

    def test_leaving_early_ends_the_waiting(self) -> None:
        def reply(request: Request) -> Reply:
            busy = request.body["input"] == ["b"]
            return Reply({"error": {"message": "busy"}}, 503) if busy else openai_reply(request)

        with answering(reply) as (address, got):
            batches = remote(address, RetryPolicy(first=60), parallel=2, texts=1).embed_batches(["a", "b", "c"])
            next(batches)
            while len(got) < 2:
                time.sleep(0.01)
            batches.close()  # type: ignore[attr-defined]
            begin = time.monotonic()
            while any(thread.name.startswith("embedder") for thread in threading.enumerate()):
                assert time.monotonic() - begin < 10
                time.sleep(0.05)


class TestCache:
    def test_no_text_is_sent_twice(self, tmp_path: Path) -> None:
        with answering(openai_reply) as (address, got):
            for _ in range(2):  # a second index, another process
                embedder = CachedEmbedder(remote(address), VectorFile(tmp_path / "v.sqlite", 10**9))
                vectors = embedder.embed_documents(["a", "b", "a", "\ud800"])
                assert embedder.missing(["a", "c", "c"]) == ["c"]
            embedder.embed_documents(["b", "c"])
            sent = [text for request in got for text in request.body["input"] if text != "dimension"]
            assert sent == ["a", "b", "\ufffd", "c"]
            before = len(got)
            embedder.embed_queries(["a"])
            assert len(got) == before + 1  # what is asked is not kept
        assert_unit_rows(vectors, 4, 1024)
        assert (vectors[0] == vectors[2]).all()
        assert (embedder.embed_documents(["a"])[0] == vectors[0]).all()  # the server is gone

    def test_what_came_before_a_failure_is_kept(self, tmp_path: Path) -> None:
        def reply(request: Request) -> Reply:
            refuse = broken and "t7" in request.body["input"]
            return Reply({"error": {"message": "no"}}, 400) if refuse else openai_reply(request)

        broken = True
        texts = [f"t{n}" for n in range(12)]
        with answering(reply) as (address, got):
            embedder = CachedEmbedder(remote(address, texts=2), VectorFile(tmp_path / "v.sqlite", 10**9))
            assert embedder.dim == 1024
            with pytest.raises(EmbedderError, match="embedding “t6” and 1 more"):
                embedder.embed_documents(texts)
            kept = len(texts) - len(embedder.missing(texts))
            assert kept >= 6
            broken = False
            got.clear()
            embedder.embed_documents(texts)
            assert sum(len(r.body["input"]) for r in got) == 12 - kept

    def test_other_weights_are_other_vectors(self, tmp_path: Path) -> None:
        file = VectorFile(tmp_path / "v.sqlite", 10**9)
        one, other = HashedEmbedder(), HashedEmbedder()
        other.weights = "another"
        CachedEmbedder(one, file).embed_documents(["a"])
        assert CachedEmbedder(one, file).missing(["a"]) == []
        assert CachedEmbedder(other, file).missing(["a"]) == ["a"]

    def test_a_cache_that_cannot_be_used(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        broken = tmp_path / "v.sqlite"
        broken.write_bytes(b"not a database at all" * 100)
        embedder = CachedEmbedder(HashedEmbedder(), VectorFile(broken, 10**9))
        for _ in range(2):
            assert_unit_rows(embedder.embed_documents(["a", "b"]), 2, 256)
        assert [r.levelname for r in caplog.records] == ["WARNING"]
        assert "delete it, or set RAG_VECTOR_CACHE" in caplog.text

    def test_it_stays_within_its_size(self, tmp_path: Path) -> None:
        embedder = CachedEmbedder(HashedEmbedder(), VectorFile(tmp_path / "v.sqlite", 400_000))
        texts = [f"word{n}" for n in range(2000)]
        embedder.embed_documents(texts)
        assert embedder.missing(texts[-100:]) == []
        assert 1500 < len(embedder.missing(texts)) < 1900
        assert (tmp_path / "v.sqlite").stat().st_size < 1_000_000

    def test_many_threads(self, tmp_path: Path) -> None:
        embedder = CachedEmbedder(HashedEmbedder(), VectorFile(tmp_path / "v.sqlite", 10**9))
        threads = [
            threading.Thread(target=embedder.embed_documents, args=([f"{n} {i % 7}" for i in range(50)],))
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert embedder.missing([f"{n} {i}" for n in range(8) for i in range(7)]) == []


class TestCachedContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, tmp_path: Path) -> Embedder:
        return CachedEmbedder(HashedEmbedder(), VectorFile(tmp_path / "v.sqlite", 10**9))

    def test_the_nearest_document_is_the_one_about_it(self, embedder: Embedder) -> None:
        super().test_the_nearest_document_is_the_one_about_it(embedder)


class _Bag(Embeddings):
    """A LangChain class around the bag of words, with rows that are not of unit length."""

    model = "bag"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[7 * float(x) for x in row] for row in HashedEmbedder().embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class TestInstance(_ByTiktoken):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return wrap(_Bag())

    @pytest.mark.skip(reason="the bag counts words, tiktoken counts tokens: which words are cut differs")
    def test_what_lies_beyond_the_window_does_not_count(self) -> None: ...

    def test_identity(self) -> None:
        fake = adopt(DeterministicFakeEmbedding(size=16))
        assert (fake.id, fake.dim) == ("langchain:DeterministicFakeEmbedding", 16)
        assert adopt(fake) is fake
        assert wrap(_Bag()).id == "langchain:_Bag:bag"
        assert wrap(_Bag()).weights != wrap(_Bag(), name="mine").weights
        with pytest.raises(ConfigError, match="list is no embedder"):
            adopt([])

    def test_what_it_raises_is_one_line(self) -> None:
        class Broken(_Bag):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                raise RuntimeError("two\nlines")

        with pytest.raises(EmbedderError, match=r"^langchain:Broken:bag failed: two lines \(embedding “x”\)$"):
            wrap(Broken()).embed_documents(["x"])


def ollama_reply(context: int, window: str | None = "bert.context_length") -> Any:
    """Ollama 0.12's wire formats of /api/show, /api/tags and /api/embed, for one model."""

    def reply(request: Request) -> Reply:
        match request.path:
            case "/api/show" if request.body["model"] != "minilm":
                return Reply({"error": f"model '{request.body['model']}' not found"}, 404)
            case "/api/show":
                info = {"general.architecture": "bert"} | ({window: context} if window else {})
                return Reply({"details": {"family": "bert"}, "model_info": info, "capabilities": ["embedding"]})
            case "/api/tags":
                return Reply(
                    {"models": [{"name": "minilm:latest", "model": "minilm:latest", "digest": digest[0]}]}
                )
        texts = request.body["input"]
        if any(len(text.split()) > context for text in texts):
            return Reply({"error": "the input length exceeds the context length"}, 400)
        return Reply({"model": "minilm", "embeddings": [vector(text, 8) for text in texts], "total_duration": 1})

    digest = ["a" * 64]
    reply.digest = digest  # type: ignore[attr-defined]
    return reply


class TestOllama:
    def test_the_window_is_the_models(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = ollama_reply(256)
        with answering(reply) as (address, got):
            monkeypatch.setenv("OLLAMA_HOST", address.removeprefix("http://"))
            embedder = load_embedder("ollama:minilm")
            assert (embedder.id, embedder.max_tokens, embedder.dim) == ("ollama:minilm", 254, 8)
            vectors = embedder.embed_documents([*(f"t{n}" for n in range(70)), "word " * 1000, "term " * 1000])
            same = load_embedder("ollama:minilm").weights
            reply.digest[0] = "b" * 64
            other = load_embedder("ollama:minilm").weights
        assert_unit_rows(vectors, 72, 8)
        embeds = [r.body for r in got if r.path == "/api/embed" and r.body["input"] != ["dimension"]]
        assert [len(body["input"]) for body in embeds] == [32, 32, 8]
        assert {body["options"]["num_ctx"] for body in embeds} == {256}
        assert caplog.text.count("is cut there (said once)") == 1
        assert embedder.weights == same != other

    def test_a_window_that_is_not_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(ollama_reply(100, None)) as (address, _):
            monkeypatch.setenv("OLLAMA_HOST", address)
            embedder = load_embedder("ollama:minilm")
            assert embedder.max_tokens == 510
            assert_unit_rows(embedder.embed_documents(["word " * 400, "t"]), 2, 8)

    def test_no_such_model_and_no_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(ollama_reply(256)) as (address, _):
            monkeypatch.setenv("OLLAMA_HOST", address)
            with pytest.raises(EmbedderError, match="has no model other: run `ollama pull other`"):
                load_embedder("ollama:other")
        with pytest.raises(EmbedderError, match=r"cannot be reached: check the address \(OLLAMA_HOST\)"):
            load_embedder("ollama:minilm")


@pytest.mark.models
@pytest.mark.stores
class TestOllamaApi(_ByTiktoken):
    """Ollama's API as ollama-proxy-plus speaks it, in front of llama.cpp."""

    @pytest.fixture(scope="class")
    @classmethod
    def ollama(cls, server: str) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = {
            "PROVIDERS_LOCAL_API_KEY": KEY,
            "PROVIDERS_LOCAL_BASE_URL": f"{server}/v1",
            "EXTRA_MODELS": "local/minilm",
        }
        command = [os.environ["RAG_OLLAMA_PROXY"], "serve", "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(
            command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as proxy:
            _wait_for(port)
            yield f"http://127.0.0.1:{port}"
            proxy.terminate()

    @pytest.fixture
    def embedder(self, ollama: str, monkeypatch: pytest.MonkeyPatch) -> Embedder:
        monkeypatch.setenv("OLLAMA_HOST", ollama)
        monkeypatch.setenv("RAG_VECTOR_CACHE", "off")
        return load_embedder("ollama:local/minilm?max_tokens=60")

    def test_the_numbers_are_the_models(self, embedder: Embedder) -> None:
        vectors = embedder.embed_documents(WEATHER)
        assert (vectors @ vectors.T)[np.triu_indices(3, 1)] == pytest.approx([0.666, 0.105, 0.141], abs=1e-3)


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing listens at {port}")


def modelscope_reply(folder: Path, wrong: str = "") -> Any:
    """ModelScope's listing and its files, those of `folder`."""
    from rag.weights.transfer import sha256_of

    def reply(request: Request) -> Reply:
        if "/repo/files?" in request.path:
            listed: list[dict[str, Any]] = [{"Path": "1_Pooling", "Type": "tree", "Size": 0, "Sha256": ""}]
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                name, digest = path.relative_to(folder).as_posix(), sha256_of(path)
                if name == wrong:
                    digest = "0" * 64
                listed.append({"Path": name, "Type": "blob", "Size": path.stat().st_size, "Sha256": digest})
            listed.append({"Path": "onnx/model.onnx", "Type": "blob", "Size": 1, "Sha256": "0" * 64})
            return Reply({"Code": 200, "Success": True, "Data": {"Files": listed}})
        _, found, name = request.path.partition("/resolve/master/")
        return Reply((folder / name).read_bytes()) if found else Reply({})

    return reply


@pytest.mark.models
class TestModelScope:
    def test_a_model_with_no_other_hub(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        folder = model_path("all-MiniLM-L6-v2")
        with answering(modelscope_reply(folder)) as (address, got):
            monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path))
            monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
            embedder = load_embedder("modelscope:sentence-transformers/all-MiniLM-L6-v2")
        assert not any("onnx" in request.path for request in got)
        vectors = embedder.embed_documents(WEATHER)
        assert (vectors @ vectors.T)[np.triu_indices(3, 1)] == pytest.approx([0.666, 0.105, 0.141], abs=1e-3)
        assert embedder.id == "modelscope:sentence-transformers/all-MiniLM-L6-v2"
        again = load_embedder(embedder.id)  # the server is gone
        assert again.weights == embedder.weights

    def test_a_file_that_is_not_as_listed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        folder = model_path("all-MiniLM-L6-v2")
        with answering(modelscope_reply(folder, wrong="config.json")) as (address, _):
            monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path))
            monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
            with pytest.raises(ModelError, match=r"config\.json is not the catalogue's file"):
                load_embedder("modelscope:a/b")

    @pytest.mark.parametrize("path", ["../../x.json", "/etc/x.json", "C:\\x.json"])
    def test_a_listing_that_leaves_the_folder(
        self, path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        files = [{"Path": path, "Type": "blob", "Size": 1, "Sha256": "0" * 64}]
        with answering(lambda _: Reply({"Data": {"Files": files}})) as (address, _):
            monkeypatch.setenv("RAG_MODELS_DIR", str(tmp_path / "models"))
            monkeypatch.setenv("MODELSCOPE_ENDPOINT", address)
            with pytest.raises(ModelError, match=r"leaves the model's folder|holds no SentenceTransformers model"):
                load_embedder("modelscope:a/b")


class TestEstimate:
    def test_files_chunks_tokens_and_calls(self, tmp_path: Path) -> None:
        folder = tmp_path / "docs"
        folder.mkdir()
        for n in range(3):
            (folder / f"{n}.txt").write_text(f"Text {n}. " + "The heron wades. " * 200, encoding="utf-8")
        (folder / "same.txt").write_text("Text 0. " + "The heron wades. " * 200, encoding="utf-8")
        (folder / "empty.txt").write_text("", encoding="utf-8")
        (folder / "picture.png").write_bytes(b"\x89PNG")
        with answering(openai_reply) as (address, got):
            embedder = CachedEmbedder(remote(address), VectorFile(tmp_path / "v.sqlite", 10**9))
            told = estimate([folder], embedder)
            assert not got  # nothing is sent
            assert (told.files, told.unread) == (4, 2)
            with closing(open_store(f"faiss:{tmp_path / 'index'}")) as store:
                report = ingest(store, embedder, [folder], Settings())
                sent = [text for r in got for text in r.body["input"] if text != "dimension"]
                calls = len([r for r in got if r.body["input"] != ["dimension"]])
                assert (told.chunks, told.calls) == (report.chunks, calls)
                assert told.tokens == sum(embedder.count_tokens(sent))
                later = estimate([folder], embedder, known=store.documents())
                assert (later.files, later.chunks, later.tokens, later.calls) == (0, 0, 0, 0)
            anew = estimate([folder], embedder)
            assert (anew.tokens, anew.calls, anew.cached) == (0, 0, told.chunks)

    def test_a_model_on_this_machine_makes_no_calls(self, tmp_path: Path) -> None:
        (tmp_path / "1.txt").write_text("one two three", encoding="utf-8")
        told = estimate([tmp_path], HashedEmbedder())
        assert (told.files, told.chunks, told.tokens, told.calls, told.cached) == (1, 1, 3, 0, 0)
