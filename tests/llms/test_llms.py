"""The language models: the local one, and any behind OpenAI's protocol, against a real llama.cpp server."""

from __future__ import annotations

import copy
import json
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from contracts.llm import CAPITAL, FORGED, SEA, STORY, LLMContract
from helpers.servers.http import LLAMA, running
from pydantic import SecretStr

from rag.errors import ConfigError, LLMError, ModelError
from rag.llms import LLM, load_llm
from rag.llms.local.engine import start
from rag.llms.local.gguf import read_header
from rag.llms.local.llm import DEFAULT_MODEL, LocalLLM
from rag.llms.local.template import chatml, hide_markers, is_chatml, marker_pattern, split_at_markers
from rag.llms.openai import OpenAILLM
from rag.types import Message

KEY = "sk-test-0123456789abcdef-secret"
TOKENS = {"<|im_start|>": 7, "<|im_end|>": 8, "<tool_call>": 9}

# As LocalLLM starts it where there are no Unix sockets; prints where it listens.
WITHOUT_UNIX_SOCKET = """
import sys
from pathlib import Path
from rag.llms.local.engine import start
server = start(Path(sys.argv[1]), 1024, unix=False)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def weights() -> Path:
    from rag.weights.cache import model_path

    return next(model_path(DEFAULT_MODEL).glob("*.gguf"))


@pytest.fixture(scope="module")
def local(weights: Path) -> Iterator[LocalLLM]:
    llm = load_llm("local")
    assert isinstance(llm, LocalLLM)
    yield llm
    llm.close()


class LocalContract(LLMContract):
    def test_the_same_questions_have_the_same_answers(self, llm: LLM) -> None:
        """Once all have been read: what was read is kept, and rounds otherwise than what is read anew."""
        list(llm.stream(CAPITAL, max_tokens=1))
        for _ in range(2):
            list(llm.stream(SEA, max_tokens=10))
        super().test_the_same_questions_have_the_same_answers(llm)


@pytest.mark.models
class TestLocal(LocalContract):
    @pytest.fixture
    def llm(self, local: LocalLLM) -> LocalLLM:
        return local


@pytest.mark.models
class TestLocalByItsOwnTemplate(LocalContract):
    """As for models whose template is not ChatML: the engine fills in the one inside the file."""

    @pytest.fixture
    def llm(self, local: LocalLLM) -> LocalLLM:
        llm = copy.copy(local)
        llm._chatml = False
        return llm


@pytest.mark.models
class TestLocalEngine:
    def test_name_and_size(self, local: LocalLLM) -> None:
        assert local.id == f"local:{DEFAULT_MODEL}"
        assert local.context_tokens == 6144

    def test_a_forged_marker_is_plain_text(self, local: LocalLLM) -> None:
        """Each real marker is one token; the same characters in a document are several."""
        plain = local.count_tokens(FORGED.replace("<|im_end|>", "").replace("<|im_start|>", ""))
        assert local.count_tokens(FORGED) >= plain + 2 * 4

        def prompt_tokens(text: str) -> int:
            usage = list(local.stream([Message("user", text)], max_tokens=1))[-1].usage
            assert usage is not None
            return usage.prompt

        around = prompt_tokens("x") - local.count_tokens("x")
        assert prompt_tokens(FORGED) == local.count_tokens(FORGED) + around

    @pytest.mark.parametrize(
        "text", ["Grüße aus Köln, 42 km.", "计算属性会缓存结果。", "a\n\n  b\tc  ", "🦜" * 9, "x" * 300]
    )
    def test_the_count_is_the_prompts(self, local: LocalLLM, text: str) -> None:
        counts = [local.count_tokens(text * n) for n in (1, 1)]
        usage = list(local.stream([Message("user", text)], max_tokens=1))[-1].usage
        empty = list(local.stream([Message("user", "")], max_tokens=1))[-1].usage
        assert counts[0] == counts[1]
        assert usage is not None
        assert empty is not None
        assert abs(usage.prompt - empty.prompt - counts[0]) <= 1  # "user\n" and the text can share a token

    def test_counting_leaves_the_prefix_and_is_quick(self, local: LocalLLM) -> None:
        list(local.stream(STORY, max_tokens=1))
        begin = time.monotonic()
        for n in range(20):
            local.count_tokens("计算属性 computed " * n)
        assert time.monotonic() - begin < 5
        usage = list(local.stream(STORY, max_tokens=1))[-1].usage
        assert usage is not None
        assert usage.cached == usage.prompt - 1

    def test_what_was_read_is_kept_while_another_prompt_is_read(self, local: LocalLLM) -> None:
        rules = "Name the capital that is asked for, and nothing else: no sentence, no country, no full stop."
        asked = [[Message("system", rules), Message("user", f"Which is {place}'s?")] for place in ("Peru", "Chad")]
        list(local.stream(asked[0], max_tokens=1))
        list(local.stream([Message("user", "Is the sea blue or is it green where you live?")], max_tokens=1))
        usage = list(local.stream(asked[1], max_tokens=1))[-1].usage
        assert usage is not None
        assert usage.cached > local.count_tokens(rules)

    def test_what_an_answer_copies_is_tried_ahead(self, local: LocalLLM) -> None:
        """What was tried and kept has no probabilities; the first token has, by which an answer is doubted."""
        text = "The ferry from Varde to Holm sails at 6:40 and at 19:15, except on the 3rd of May."
        asked = [Message("user", f"Write this once more: {text}")]
        said = list(local.stream(asked, max_tokens=60, grammar=f'root ::= "{text}"'))
        written = [piece for piece in said if piece.text]
        assert "".join(piece.text for piece in written) == text
        assert written[0].logprobs
        assert sum(not piece.logprobs for piece in written) > len(written) / 2

    def test_a_long_prompt_can_be_closed_while_it_is_read(self, local: LocalLLM) -> None:
        answer = local.stream([Message("user", "lantern " * 5000)], max_tokens=1)
        reader = threading.Thread(target=lambda: list(answer))
        reader.start()
        time.sleep(0.5)
        begin = time.monotonic()
        for run in list(local._runs):
            run.stop()
        reader.join()
        assert time.monotonic() - begin < 30  # one batch on a busy machine; the whole takes minutes

    def test_a_request_that_waits_can_be_dropped(self, local: LocalLLM) -> None:
        first = local.stream(STORY, max_tokens=400)
        next(first)
        second = local.stream(CAPITAL, max_tokens=1)
        waiting = threading.Thread(target=lambda: list(second))
        waiting.start()
        while len(local._runs) < 2:
            time.sleep(0.01)
        [run] = [run for run in list(local._runs) if run is not first.gi_frame.f_locals["run"]]  # type: ignore[attr-defined]
        begin = time.monotonic()
        run.stop()
        assert time.monotonic() - begin < 2
        waiting.join()
        first.close()  # type: ignore[attr-defined]

    def test_an_answer_without_reuse_depends_on_nothing_before(self, local: LocalLLM) -> None:
        fresh = copy.copy(local)
        fresh._reuse_prefix = False
        question = [Message("user", "Write one sentence about the sea.")]
        told = []
        for before in (STORY, CAPITAL, question):
            list(local.stream(before, max_tokens=2))
            told.append(list(fresh.stream(question, max_tokens=10)))
        assert told[0] == told[1] == told[2]
        assert told[0][-1].usage is not None
        assert told[0][-1].usage.cached == 0

    def test_a_wrong_grammar(self, local: LocalLLM) -> None:
        with pytest.raises(LLMError, match="grammar"):
            list(local.stream(CAPITAL, max_tokens=4, grammar="root ::= ("))

    def test_a_long_prompt_says_what_to_do(self, local: LocalLLM) -> None:
        with pytest.raises(LLMError, match=r"the prompt has 70\d\d tokens .* takes 6144.*--top-k"):
            list(local.stream([Message("user", "word " * 7000)], max_tokens=1))

    @pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux' list of sockets")
    def test_no_port_is_open_and_no_socket_left(self, local: LocalLLM) -> None:
        own = set(_open_files())
        for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
            rows = [row.split() for row in Path(table).read_text(encoding="ascii").splitlines()[1:]]
            listening = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A"}
            assert not listening & own
        rows = [row.split() for row in Path("/proc/self/net/unix").read_text(encoding="utf-8").splitlines()[1:]]
        paths = [row[7] for row in rows if len(row) > 7 and f"socket:[{row[6]}]" in own]  # of this process alone
        assert not any(Path(path).exists() for path in paths)

    def test_without_unix_sockets_a_key_is_needed(self, weights: Path) -> None:
        with running(WITHOUT_UNIX_SOCKET, str(weights)) as address:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
            for path in ("/completion", "/tokenize", "/v1/chat/completions"):
                for headers in ({}, {"Authorization": "Bearer wrong"}):
                    body = json.dumps({"prompt": "x", "content": "x", "n_predict": 1}).encode()
                    request = urllib.request.Request(address + path, body, headers)
                    with pytest.raises(urllib.error.HTTPError) as refusal:
                        urllib.request.urlopen(request, timeout=30)
                    assert refusal.value.code == 401
                    refusal.value.close()

    def test_a_closed_model_says_so(self, local: LocalLLM) -> None:
        closed = copy.copy(local)
        closed._server = None
        with pytest.raises(LLMError, match="is closed: load it again"):
            list(closed.stream(CAPITAL, max_tokens=1))

    def test_it_is_silent(self, weights: Path) -> None:
        program = (
            "import sys; from rag.llms import load_llm; from rag.types import Message\n"
            "llm = load_llm('local:' + sys.argv[1])\n"
            "print(''.join(p.text for p in llm.stream([Message('user', 'Say yes.')], max_tokens=2)))\n"
            "next(llm.stream([Message('user', 'Tell a story.')], max_tokens=4000)); sys.exit(0)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(weights)], capture_output=True, text=True, timeout=300, check=True
        )
        assert done.stdout.strip(" .\n") == "Yes"
        assert done.stderr == ""


def _open_files() -> Iterator[str]:
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder itself was open while it was listed
            yield str(fd.readlink())


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[str]:
    with running(LLAMA, str(weights), KEY, "chat") as address:
        yield address


@pytest.mark.models
class TestOpenAI(LLMContract):
    """Against llama.cpp's own OpenAI endpoint."""

    grammars = logprobs = continues = False

    @pytest.fixture
    def llm(self, server: str) -> Iterator[OpenAILLM]:
        llm = OpenAILLM("qwen", base_url=f"{server}/v1", api_key=SecretStr(KEY), context_tokens=2048, timeout=300)
        yield llm
        llm.close()

    @pytest.mark.skip(reason="the server reads its own template; markers are its business")
    def test_text_cannot_pass_for_a_marker(self) -> None: ...

    def test_a_wrong_key(self, server: str) -> None:
        wrong = "sk-wrong-key-of-somebody"
        llm = OpenAILLM("qwen", base_url=f"{server}/v1", api_key=SecretStr(wrong), max_retries=0)
        with pytest.raises(LLMError, match=r"refused the key \(401\): check OPENAI_API_KEY") as error:
            list(llm.stream(CAPITAL, max_tokens=1))
        assert wrong not in str(error.value) + repr(error.value) + repr(llm) + str(vars(llm))


class TestOpenAIErrors:
    def test_a_server_that_is_gone(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        llm = OpenAILLM("m", base_url=f"http://127.0.0.1:{port}/v1", api_key=SecretStr(KEY), max_retries=0)
        with pytest.raises(LLMError, match=rf"127\.0\.0\.1:{port}/v1 cannot be reached"):
            list(llm.stream(CAPITAL, max_tokens=1))

    def test_a_server_that_never_answers(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
            llm = OpenAILLM("m", base_url=address, api_key=SecretStr(KEY), max_retries=0, timeout=0.5)
            begin = time.monotonic()
            with pytest.raises(LLMError, match=r"did not answer within 0\.5 s"):
                list(llm.stream(CAPITAL, max_tokens=1))
            assert time.monotonic() - begin < 20

    @pytest.mark.parametrize(
        ("status", "words"), [(400, "failed"), (404, "no such model"), (429, "rate"), (500, "failed")]
    )
    def test_a_server_that_echoes_the_key(self, status: int, words: str) -> None:
        class Echo(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                body = json.dumps({"error": {"message": f"bad {self.headers['Authorization']}"}}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        with HTTPServer(("127.0.0.1", 0), Echo) as echo:
            threading.Thread(target=echo.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{echo.server_port}/v1"
            llm = OpenAILLM("m", base_url=address, api_key=SecretStr(KEY), max_retries=0)
            with pytest.raises(LLMError, match=words) as error:
                list(llm.stream(CAPITAL, max_tokens=1))
            echo.shutdown()
        assert KEY not in str(error.value)

    def test_settings_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
        monkeypatch.setenv("RAG_OPENAI_CONTEXT_TOKENS", "32000")
        llm = load_llm("openai:deepseek-chat")
        assert llm is not None
        assert (llm.id, llm.context_tokens) == ("openai:deepseek-chat", 32000)
        assert repr(llm) == "OpenAILLM('deepseek-chat', base_url='http://127.0.0.1:1/v1')"
        monkeypatch.setenv("RAG_OPENAI_BASE_URL", "http://127.0.0.1:2/v1")
        assert "127.0.0.1:2" in repr(load_llm("openai:deepseek-chat"))
        llm = load_llm("openai:deepseek-chat")
        assert llm is not None
        with pytest.raises(LLMError, match=r"check the address \(RAG_OPENAI_BASE_URL\)"):
            list(llm.stream(CAPITAL, max_tokens=1))
        monkeypatch.setenv("RAG_OPENAI_CONTEXT_TOKENS", "many")
        with pytest.raises(ConfigError, match="RAG_OPENAI_CONTEXT_TOKENS must be a number of tokens, not 'many'"):
            load_llm("openai:deepseek-chat")

    def test_openai_needs_a_key_and_other_servers_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RAG_OPENAI_BASE_URL"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ConfigError, match="set OPENAI_API_KEY"):
            OpenAILLM("gpt-4o-mini")
        assert OpenAILLM("m", base_url="http://127.0.0.1:1/v1").id == "openai:m"


def test_markers_are_cut_and_nothing_is_lost() -> None:
    markers = marker_pattern(TOKENS)
    text = f"a{FORGED}<tool_call><｜end▁of▁sentence｜><|im_end|><|im_end|>z < | >"
    cut = split_at_markers(text, markers)
    assert "".join(cut) == text
    assert not any(markers.search(piece) for piece in cut)
    assert len(cut) == 1 + 2 + 1 + 1 + 2
    assert split_at_markers("plain < text |>", markers) == ["plain < text |>"]
    assert split_at_markers("", markers) == []
    assert hide_markers("<|im_end|>", markers) == "<\u200b|im_end|>"


def test_chatml_marks_turns_by_id_alone() -> None:
    messages = [Message("system", "S"), Message("user", "a<|im_end|>b")]
    prompt = chatml(messages, TOKENS, marker_pattern(TOKENS))
    assert prompt == [7, "system\nS", 8, "\n", 7, "user\na<", "|im_end|>b", 8, "\n", 7, "assistant\n"]
    begun = chatml([*messages, Message("assistant", "So")], TOKENS, marker_pattern(TOKENS))
    assert begun == [*prompt[:-2], 7, "assistant\nSo"]
    assert is_chatml("<|im_start|>{{ role }}<|im_end|>", TOKENS)
    assert not is_chatml("[INST]", TOKENS)


def _gguf(path: Path) -> bytes:
    """A GGUF head with a vocabulary of four tokens."""

    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text.encode())) + text.encode()

    tokens = ["a", "<|im_start|>", "<|im_end|>", "<pad>"]
    values = [
        string("general.architecture") + struct.pack("<I", 8) + string("qwen2"),
        string("qwen2.context_length") + struct.pack("<II", 4, 512),
        string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 4) + b"".join(map(string, tokens)),
        string("tokenizer.ggml.token_type") + struct.pack("<IIQ4i", 9, 5, 4, 1, 3, 4, 5),
        string("tokenizer.chat_template") + struct.pack("<I", 8) + string("{{ 问 }}"),
    ]
    data = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(values)) + b"".join(values)
    path.write_bytes(data)
    return data


def test_the_head_of_a_gguf_file(tmp_path: Path) -> None:
    path = tmp_path / "小.gguf"
    _gguf(path)
    header = read_header(path)
    assert (header.name, header.context_tokens, header.template) == ("小", 512, "{{ 问 }}")
    assert header.markers == {"<|im_start|>": 1, "<|im_end|>": 2}


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    data = _gguf(path)
    for cut in range(0, len(data), 3):
        path.write_bytes(data[:cut])
        with pytest.raises(ModelError, match=r"m\.gguf"):
            LocalLLM.load(str(path))
    path.write_bytes(b"PK" + data[2:])
    with pytest.raises(ModelError, match="is not a GGUF model file"):
        LocalLLM.load(str(path))
    path.write_bytes(data[:8] + b"\xff" * 16 + data[24:])
    with pytest.raises(ModelError, match="is not a GGUF model file"):
        LocalLLM.load(str(path))


def test_a_model_that_llama_cpp_cannot_run(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    _gguf(path)
    with pytest.raises(ModelError, match=r"llama\.cpp cannot load"):
        start(path, 512)
    assert not list(tmp_path.glob("*.sock"))


def test_missing_and_unknown_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        LocalLLM.load(str(tmp_path / "none.gguf"))
    with pytest.raises(ModelError, match="no model is called 'llama-9'"):
        load_llm("local:llama-9")
    with pytest.raises(ConfigError, match="no language model is called 'openai:'"):
        load_llm("openai:")
    assert load_llm("none") is None
