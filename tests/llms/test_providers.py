"""Language models by provider: DeepSeek, DashScope, Ollama, LangChain's own, and instances."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from contracts.llm import CAPITAL, LLMContract, said
from helpers.servers.http import LLAMA, Reply, Request, answering, events, running
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from rag.errors import ConfigError, LLMError, MissingExtra
from rag.llms import LLM, Piece, load_llm
from rag.llms.langchain import adopt
from rag.llms.local.llm import DEFAULT_MODEL
from rag.llms.thinking import Thought, ThoughtTags
from rag.types import Message, Usage

KEY = "sk-test-0123456789abcdef-secret"
PROVIDERS = ("DEEPSEEK", "DASHSCOPE", "ANTHROPIC", "GOOGLE", "OPENAI")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROVIDERS:
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from rag.weights.cache import model_path

    weights = next(model_path(DEFAULT_MODEL).glob("*.gguf"))
    with running(LLAMA, str(weights), KEY, "chat") as address:
        yield address


class _OverHttp(LLMContract):
    grammars = logprobs = continues = False

    @pytest.mark.skip(reason="the server reads its own template; markers are its business")
    def test_text_cannot_pass_for_a_marker(self) -> None: ...


@pytest.mark.models
class TestDashscopeEndpoint(_OverHttp):
    """The adapter of DashScope and DeepSeek against llama.cpp's OpenAI endpoint."""

    @pytest.fixture
    def llm(self, server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LLM]:
        monkeypatch.setenv("DASHSCOPE_BASE_URL", f"{server}/v1")
        monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
        llm = load_llm("dashscope:qwen-plus")
        assert llm is not None
        llm._given_context = 2048  # type: ignore[attr-defined]
        yield llm
        llm.close()


@pytest.mark.models
class TestInstance(_OverHttp):
    """A LangChain `ChatOpenAI` passed in Python."""

    @pytest.fixture
    def llm(self, server: str) -> Iterator[LLM]:
        model = ChatOpenAI(
            model="qwen", base_url=f"{server}/v1", api_key=SecretStr(KEY), temperature=0, timeout=300
        )
        model.stream_usage = True
        llm = adopt(model)
        llm._given_context = 2048  # type: ignore[attr-defined]
        yield llm
        llm.close()


def _chunk(usage: dict[str, Any] | None = None, **delta: Any) -> dict[str, Any]:
    choices = [] if usage else [{"index": 0, "delta": delta, "finish_reason": None}]
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }


USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 9,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 6},
}


class TestDeepSeek:
    """DeepSeek's wire format, as its reference has it: thoughts in `reasoning_content`, before the answer."""

    def test_thoughts_are_kept_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = [
            _chunk(role="assistant", content=None, reasoning_content=""),
            _chunk(content=None, reasoning_content="The capital "),
            _chunk(content=None, reasoning_content="is Paris."),
            _chunk(content="Par", reasoning_content=None),
            _chunk(content="is", reasoning_content=None),
            _chunk(USAGE),
        ]
        with answering(lambda _: Reply(lines=events(*stream))) as (address, got):
            monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
            monkeypatch.setenv("DEEPSEEK_BASE_URL", address)
            llm = load_llm("deepseek:deepseek-reasoner")
            assert llm is not None
            pieces = list(llm.stream(CAPITAL, max_tokens=8))
        assert said(pieces) == "Paris"
        assert "".join(p.reasoning for p in pieces if isinstance(p, Thought)) == "The capital is Paris."
        assert pieces[-1] == Piece("", {}, Usage(20, 9, 16))
        [request] = got
        assert request.path == "/chat/completions"
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.body["model"] == "deepseek-reasoner"
        assert request.body["max_tokens"] == 8 + 16_384  # its thoughts count
        assert "max_completion_tokens" not in request.body
        assert request.body["messages"][0] == {"role": "system", "content": CAPITAL[0].content}
        assert llm.id == "deepseek:deepseek-reasoner"
        assert KEY not in repr(llm) + str(vars(llm))

    def test_chat(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = [_chunk(role="assistant", content=""), _chunk(content="Paris"), _chunk(USAGE)]
        with answering(lambda _: Reply(lines=events(*stream))) as (address, got):
            monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
            monkeypatch.setenv("DEEPSEEK_BASE_URL", address)
            llm = load_llm("deepseek:deepseek-chat")
            assert llm is not None
            assert said(list(llm.stream(CAPITAL, max_tokens=8))) == "Paris"
        assert (got[0].body["max_tokens"], got[0].body["temperature"]) == (8, 0)

    @pytest.mark.parametrize(
        ("status", "message", "words"),
        [
            (
                401,
                f"Authentication Fails, Your api key: {KEY} is invalid",
                "refused the key .401.: check DEEPSEEK_API_KEY",
            ),
            (402, "Insufficient Balance", "no credit left"),
            (429, "Rate limit reached", "rate or quota"),
            (503, "Server overloaded", "failed"),
            (400, "This model's maximum context length is 65536 tokens", "prompt too long.*--top-k"),
        ],
    )
    def test_errors_are_one_line(
        self, status: int, message: str, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with answering(lambda _: Reply({"error": {"message": message}}, status)) as (address, _):
            monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
            monkeypatch.setenv("DEEPSEEK_BASE_URL", address)
            llm = load_llm("deepseek:deepseek-chat")
            assert llm is not None
            llm._connect = _without_retries(llm._connect)  # type: ignore[attr-defined]
            with pytest.raises(LLMError, match=words) as error:
                list(llm.stream(CAPITAL, max_tokens=8))
        assert KEY not in str(error.value)
        assert "\n" not in str(error.value)

    def test_a_model_that_takes_no_temperature(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def reply(request: Request) -> Reply:
            if "temperature" in request.body:
                return Reply({"error": {"message": "Unsupported value: 'temperature' does not support 0"}}, 400)
            return Reply(lines=events(_chunk(content="Paris"), _chunk(USAGE)))

        with answering(reply) as (address, got):
            monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
            monkeypatch.setenv("DEEPSEEK_BASE_URL", address)
            llm = load_llm("deepseek:new")
            assert llm is not None
            for _ in range(2):
                assert said(list(llm.stream(CAPITAL, max_tokens=8))) == "Paris"
        assert ["temperature" in request.body for request in got] == [True, False, False]


def _without_retries(connect: Any) -> Any:
    return lambda: connect().model_copy(update={"max_retries": 0})


class TestOllama:
    """Ollama's wire formats of /api/show, /api/tags and /api/chat."""

    def reply(self, request: Request) -> Reply:
        match request.path:
            case "/api/show" if request.body["model"] != "qwen3:0.6b":
                return Reply({"error": f"model '{request.body['model']}' not found"}, 404)
            case "/api/show":
                info = {"general.architecture": "qwen3", "qwen3.context_length": 40960}
                return Reply({"details": {}, "model_info": info, "capabilities": ["completion", "thinking"]})
            case "/api/tags":
                return Reply({"models": [{"model": "qwen3:0.6b", "digest": "c" * 64}]})
        words = ["<thi", "nk>Fran", "ce…</th", "ink>\n\nPar", "is"]
        lines = [
            {"model": "m", "message": {"role": "assistant", "content": word}, "done": False} for word in words
        ]
        last = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        lines.append(last | {"prompt_eval_count": 21, "eval_count": 5})
        return Reply(lines=[json.dumps(line) + "\n" for line in lines])

    def test_the_context_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(self.reply) as (address, got):
            monkeypatch.setenv("OLLAMA_HOST", address.removeprefix("http://"))
            llm = load_llm("ollama:qwen3:0.6b")
            assert llm is not None
            pieces = list(llm.stream(CAPITAL, max_tokens=8))
            monkeypatch.setenv("RAG_OLLAMA_CONTEXT_TOKENS", "99999")
            assert load_llm("ollama:qwen3:0.6b").context_tokens == 40960  # type: ignore[union-attr]
            llm.close()
        assert said(pieces) == "Paris"
        assert "".join(p.reasoning for p in pieces if isinstance(p, Thought)) == "France…"
        assert pieces[-1].usage == Usage(21, 5, 0)
        options = next(r.body["options"] for r in got if r.path == "/api/chat")
        assert options == {"num_ctx": 8192, "num_predict": 8, "temperature": 0.0}
        assert (llm.id, llm.context_tokens) == ("ollama:qwen3:0.6b", 8192)

    def test_a_prompt_that_would_be_cut_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(self.reply) as (address, got):
            monkeypatch.setenv("OLLAMA_HOST", address)
            llm = load_llm("ollama:qwen3:0.6b")
            assert llm is not None
            with pytest.raises(LLMError, match=r"about 90\d\d tokens and ollama:qwen3:0.6b takes 8192: .*--top-k"):
                llm.stream([Message("user", "word " * 9000)], max_tokens=8)
        assert not any(r.path == "/api/chat" for r in got)

    def test_no_such_model_and_no_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with answering(self.reply) as (address, _):
            monkeypatch.setenv("OLLAMA_HOST", address)
            with pytest.raises(LLMError, match="has no model llama9: run `ollama pull llama9`"):
                load_llm("ollama:llama9")
        with pytest.raises(LLMError, match=r"cannot be reached: check the address \(OLLAMA_HOST\)"):
            load_llm("ollama:llama9")


@pytest.mark.models
@pytest.mark.stores
def test_ollama_api_of_a_real_model(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ollama's API as ollama-proxy-plus speaks it, in front of llama.cpp."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "PROVIDERS_LOCAL_API_KEY": KEY,
        "PROVIDERS_LOCAL_BASE_URL": f"{server}/v1",
        "EXTRA_MODELS": "local/m",
    }
    command = [os.environ["RAG_OLLAMA_PROXY"], "serve", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as proxy:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
            llm = load_llm("ollama:local/m")
            assert llm is not None
            assert said(list(llm.stream(CAPITAL, max_tokens=8))).strip(" .") == "Paris"
            llm.close()
        finally:
            proxy.terminate()


class TestInstances:
    def test_a_model_without_usage_or_limit(self) -> None:
        llm = adopt(FakeListChatModel(responses=["one two three four five six"]))
        pieces = list(llm.stream(CAPITAL, max_tokens=100))
        assert said(pieces) == "one two three four five six"
        assert pieces[-1] == Piece("", {}, Usage())
        assert said(list(llm.stream(CAPITAL, max_tokens=5))) == "one t"  # a token a letter, as it streams
        assert llm.id == "langchain:FakeListChatModel"
        assert adopt(llm) is llm

    def test_usage_in_parts_adds_up(self) -> None:
        """As Anthropic's API tells the prompt's tokens first and the answer's last."""

        class Parts(FakeListChatModel):
            def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
                for text, read, written in (("", 7, 1), ("Paris", 0, 0), ("", 0, 2)):
                    usage = UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)
                    yield ChatGenerationChunk(message=AIMessageChunk(content=text, usage_metadata=usage))

        pieces = list(adopt(Parts(responses=["x"])).stream(CAPITAL, max_tokens=8))
        assert said(pieces) == "Paris"
        assert pieces[-1].usage == Usage(7, 3, 0)

    def test_what_it_raises_is_one_line(self) -> None:
        class Broken(FakeListChatModel):
            def _stream(self, *args: Any, **kwargs: Any) -> Any:
                raise RuntimeError("two\nlines")

        with pytest.raises(LLMError, match=r"^langchain:Broken failed: two lines$"):
            list(adopt(Broken(responses=["x"])).stream(CAPITAL, max_tokens=8))

    def test_what_is_none(self) -> None:
        with pytest.raises(ConfigError, match="str is no language model"):
            adopt("local")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("anthropic:claude-sonnet-4-5", MissingExtra, r"langchain-anthropic: pip install 'ragstone\[anthropic\]'"),
        (
            "google_genai:gemini-2.5-flash",
            MissingExtra,
            r"genai: pip install 'ragstone\[google\]'",
        ),
        (
            "mistralai:mistral-small",
            MissingExtra,
            "needs the package langchain-mistralai: pip install",
        ),
        ("deepseek:deepseek-chat", ConfigError, "needs a key: set DEEPSEEK_API_KEY"),
        ("dashscope:qwen-plus", ConfigError, "needs a key: set DASHSCOPE_API_KEY"),
        ("nonsense:x", ConfigError, "no language model is called 'nonsense:x': use local"),
        ("deepseek:", ConfigError, "no language model is called 'deepseek:'"),
        (":x", ConfigError, "no language model is called ':x'"),
    ],
)
def test_names_that_cannot_be_used(name: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        load_llm(name)


@pytest.mark.parametrize(
    ("stream", "answer", "thought"),
    [
        (["<think>a</think>b"], "b", "a"),
        (list(" <think>x < y</thin </think>\n\nyes <think>"), "yes <think>", "x < y</thin "),
        (["<", "b>bold</b>"], "<b>bold</b>", ""),
        (["plain"], "plain", ""),
        (["<thin"], "<thin", ""),
        (["<think>never ", "closed</th"], "", "never closed</th"),
        ([], "", ""),
    ],
)
def test_thoughts_in_tags(stream: list[str], answer: str, thought: str) -> None:
    tags = ThoughtTags()
    parts = [tags.feed(text) for text in stream] + [tags.rest()]
    assert "".join(a for a, _ in parts) == answer
    assert "".join(t for _, t in parts) == thought


@pytest.mark.models
def test_similarity_of_three_sentences() -> None:
    from click.testing import CliRunner

    from rag.cli.space.similarity import similarity

    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    shown = CliRunner().invoke(similarity, [*texts, "--embedder", "st:all-MiniLM-L6-v2"], catch_exceptions=False)
    assert shown.exit_code == 0
    rows = [line.split()[:3] for line in shown.stdout.splitlines()[1:]]
    assert rows == [["1.000", "0.666", "0.105"], ["0.666", "1.000", "0.141"], ["0.105", "0.141", "1.000"]]
    told = CliRunner().invoke(similarity, [*texts, "--embedder", "hashed", "--json"], catch_exceptions=False)
    assert json.loads(told.stdout)["cosine"][1][1] == pytest.approx(1)
    assert CliRunner().invoke(similarity, ["one"]).exit_code == 2
