"""Servers that are slow or lie: every call ends within its seconds and its bytes, with one sentence."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from contracts.llm import CAPITAL, said
from pydantic import SecretStr

from rag.embedders.remote.base import RemoteEmbedder
from rag.embedders.remote.openai import load
from rag.errors import EmbedderError, LLMError, RagError
from rag.llms.langchain import LangChainLLM
from rag.llms.openai import OpenAILLM
from rag.network.budget import Budget
from rag.network.endpoint import Endpoint
from rag.network.ollama import details

SECONDS = 0.4
LATE = 300.0  # a busy machine takes its time, imports too; the servers take ten minutes, or for ever
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

Served = Iterator[bytes]


def token(word: str) -> bytes:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    return f"data: {json.dumps(CHUNK | {'choices': [choice]})}\n\n".encode()


def slowly(piece: bytes, pause: float = 0.05) -> Served:
    while True:
        yield piece
        time.sleep(pause)


def silent_head() -> Served:
    time.sleep(600)
    yield b""


def head_by_the_byte() -> Served:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    yield from slowly(b"x")


def heads_without_end() -> Served:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from slowly(b"X-More: of it\r\n" * 100, 0)


def interim_without_end() -> Served:
    yield from slowly(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)


def spaces() -> Served:
    yield HEAD + b"\r\n"
    yield from slowly(b" ")


def comments() -> Served:
    yield HEAD + b"\r\n"
    yield from slowly(b": still there\n\n")


def one_token_then_silence() -> Served:
    yield HEAD + b"\r\n" + token("Paris")
    time.sleep(600)


def a_line_without_end() -> Served:
    yield HEAD + b"\r\ndata: "
    yield from slowly(b"x" * 65_536, 0)


def empty_pieces() -> Served:
    yield HEAD + b"\r\n"
    yield from slowly(token(""), 0.02)


def a_compressed_bomb() -> Served:
    packed = gzip.compress(token("bomb " * 200_000) * 20)
    yield HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed


def busy_for_a_minute() -> Served:
    yield b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 15\r\nContent-Length: 0\r\n\r\n"


def an_error_without_end() -> Served:
    yield b"HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\n\r\n"
    yield from slowly(b"x" * 65_536, 0)


def to_itself() -> Served:
    yield b"HTTP/1.1 307 There\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n"


def a_false_length() -> Served:
    yield HEAD + b"Content-Length: 1000000\r\n\r\n" + token("Paris")


def nothing() -> Served:
    yield b""


def no_http() -> Served:
    yield b"\x00\x01\x02 hello\r\n\r\n"


def chunks_without_end() -> Served:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n"
    yield from slowly(b"y" * 65_536, 0)


LYING: tuple[Callable[[], Served], ...] = (
    silent_head, head_by_the_byte, heads_without_end, interim_without_end, spaces, comments,
    one_token_then_silence, a_line_without_end, empty_pieces, a_compressed_bomb, busy_for_a_minute,
    an_error_without_end, to_itself, a_false_length, nothing, no_http, chunks_without_end,
)  # fmt: skip


@contextmanager
def serving(answer: Callable[[], Served]) -> Iterator[str]:
    """The address of a server that says `answer` to whoever connects, whatever is asked."""
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1 << 20)
            for piece in answer():
                if over.is_set():
                    return
                connection.sendall(piece)

    def listen() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)


def openai(address: str) -> LangChainLLM:
    llm = OpenAILLM("m", base_url=f"{address}/v1", api_key=SecretStr("k"))
    llm.seconds = SECONDS
    return llm


def ollama(address: str) -> LangChainLLM:
    from rag.llms.providers import _ollama

    endpoint = Endpoint("ollama:m", address, timeout=60)
    llm = LangChainLLM(endpoint, lambda: _ollama(endpoint, "m", 2048), context_tokens=2048)
    llm.seconds = SECONDS
    return llm


def one_line(call: Callable[[], object], kind: type[RagError]) -> str:
    """What `call` says when it fails, which it does in time."""
    began = time.monotonic()
    with pytest.raises(kind) as error:
        call()
    assert time.monotonic() - began < LATE
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("answer", LYING)
def test_an_answer_ends(answer: Callable[[], Served]) -> None:
    with serving(answer) as address:
        llm = openai(address)
        if answer is empty_pieces:
            assert "did not end its answer within 0.4 s" in one_line(
                lambda: list(llm.stream(CAPITAL, max_tokens=5)), LLMError
            )
        else:
            one_line(lambda: list(llm.stream(CAPITAL, max_tokens=5)), LLMError)
        llm.close()


@pytest.mark.parametrize("answer", [spaces, head_by_the_byte, a_line_without_end, a_compressed_bomb])
def test_other_clients_end_too(answer: Callable[[], Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.embedders.remote.base._SECONDS", SECONDS)
    monkeypatch.setattr("rag.network.ollama._SECONDS", SECONDS)
    with serving(answer) as address:
        one_line(lambda: list(ollama(address).stream(CAPITAL, max_tokens=5)), LLMError)
        one_line(lambda: details(Endpoint("ollama:m", address), "m", LLMError), LLMError)
        monkeypatch.setenv("RAG_OPENAI_EMBEDDINGS_URL", f"{address}/v1")
        embedder: RemoteEmbedder = load("m")
        one_line(lambda: embedder.embed_documents(["a text"]), EmbedderError)


def test_tokens_without_end_are_cut() -> None:
    def chatter() -> Served:
        yield HEAD + b"\r\n"
        yield from slowly(token("more "), 0)

    with serving(chatter) as address:
        llm = openai(address)
        llm.seconds = 300
        pieces = list(llm.stream(CAPITAL, max_tokens=5))
    assert 5 <= len(said(pieces).split()) <= 15


def test_bytes_are_what_is_said() -> None:
    with serving(a_line_without_end) as address:
        llm = openai(address)
        llm.seconds = 300
        assert "sent more than 16 MB for one answer" in one_line(
            lambda: list(llm.stream(CAPITAL, max_tokens=5)), LLMError
        )


def test_what_is_left() -> None:
    budget = Budget(60, 10)
    budget.take(10)
    assert not budget.spent
    assert 59 < budget.left <= 60
    with pytest.raises(Exception, match="sent more than"):
        budget.take(1)
    assert (budget.left, Budget(0, 10).spent) == (0, "did not end its answer within 0 s")
