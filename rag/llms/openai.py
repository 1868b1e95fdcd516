"""`openai:` any server that speaks OpenAI's chat protocol: OpenAI, DeepSeek, DashScope, vLLM, LM Studio."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rag.errors import ConfigError, LLMError, MissingExtra
from rag.llms import Piece
from rag.llms.template import sound
from rag.types import Message, Usage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk
    from openai import OpenAIError
    from tiktoken import Encoding

OFFICIAL = "https://api.openai.com/v1"
CONTEXT_TOKENS = 8192
TIMEOUT = 60.0
_ENCODINGS = ("o200k_base", "cl100k_base")  # those that the catalogue has
_NO_KEY = "none"  # servers on the user's own machine ask for none, the client insists on one


class OpenAILLM:
    """A model behind an OpenAI-compatible endpoint. `tests/contracts/llm.py` is its contract.

    The endpoint is `base_url`, or RAG_OPENAI_BASE_URL, OPENAI_BASE_URL, OpenAI's own, in that order; the
    key comes from OPENAI_API_KEY and shows in no message, repr or log. `context_tokens` is what the
    server takes (RAG_OPENAI_CONTEXT_TOKENS), which the protocol does not tell. `timeout` is the longest
    wait, in seconds, for the connection and between two pieces. Grammars are ignored, and whether a last
    message by the assistant is continued is up to the server. Nothing is traced, unless the user has set
    LANGSMITH_TRACING.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: SecretStr | None = None,
        context_tokens: int | None = None,
        timeout: float = TIMEOUT,
        max_retries: int = 2,
    ) -> None:
        """Raises ConfigError without a key for OpenAI's own endpoint; nothing is sent yet."""
        self._model, self._timeout, self._max_retries = model, timeout, max_retries
        self._base_url = base_url or _environment("RAG_OPENAI_BASE_URL", "OPENAI_BASE_URL") or OFFICIAL
        self._key = api_key or SecretStr(_environment("OPENAI_API_KEY"))
        if not self._key.get_secret_value() and self._base_url.startswith(OFFICIAL):
            raise ConfigError(
                f"openai:{model} needs a key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own"
            )
        self._context = context_tokens or _whole_number("RAG_OPENAI_CONTEXT_TOKENS", CONTEXT_TOKENS)

    def __repr__(self) -> str:
        return f"OpenAILLM({self._model!r}, base_url={self._base_url!r})"

    @property
    def id(self) -> str:
        return f"openai:{self._model}"

    @property
    def context_tokens(self) -> int:
        return self._context

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` as tiktoken counts them for this model (o200k_base for one it does not know)."""
        return len(self._encoding.encode(sound(text), disallowed_special=()))

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,  # noqa: ARG002
    ) -> Iterator[Piece]:
        """As in `LLM`; closing the iterator closes the connection, at which servers stop."""
        if not messages or max_tokens < 1:
            raise LLMError(f"{self.id} needs a message and max_tokens above 0, not {max_tokens}")
        turns = [(m.role, sound(m.content)) for m in messages]
        return self._pieces(turns, max_tokens)

    def close(self) -> None:
        """Drop the connections."""
        self.__dict__.pop("_client", None)

    def _pieces(self, turns: Sequence[tuple[str, str]], max_tokens: int) -> Iterator[Piece]:
        from openai import OpenAIError

        client, usage = self._client, Usage()
        try:
            with closing(client.stream(turns, **self._limit(max_tokens))) as chunks:
                for chunk in chunks:
                    usage = _usage(chunk) or usage
                    if text := _text(chunk):
                        yield Piece(text, {})
        except OpenAIError as exc:
            raise LLMError(self._said(exc)) from exc
        yield Piece("", {}, usage)

    def _limit(self, max_tokens: int) -> dict[str, Any]:
        """OpenAI's newer models take only max_completion_tokens, other servers may know only max_tokens."""
        if self._base_url.startswith(OFFICIAL):
            return {"max_completion_tokens": max_tokens}
        return {"extra_body": {"max_tokens": max_tokens}}

    @cached_property
    def _client(self) -> Any:
        try:
            from langchain_openai import ChatOpenAI
        except ImportError as exc:
            raise MissingExtra(self.id, "langchain-openai", "openai") from exc
        return ChatOpenAI(
            model=self._model,
            base_url=self._base_url,
            api_key=SecretStr(self._key.get_secret_value() or _NO_KEY),
            temperature=0,
            timeout=self._timeout,
            max_retries=self._max_retries,
            stream_usage=True,
        )

    @cached_property
    def _encoding(self) -> Encoding:
        import tiktoken

        from rag.models import model_path, use_tiktoken_cache

        if not use_tiktoken_cache():
            model_path("tiktoken")
            use_tiktoken_cache()
        try:
            name = tiktoken.encoding_name_for_model(self._model)
        except KeyError:
            name = _ENCODINGS[0]
        try:
            return tiktoken.get_encoding(name if name in _ENCODINGS else _ENCODINGS[0])
        except (OSError, ValueError) as exc:
            raise LLMError(f"tiktoken cannot read {name} from TIKTOKEN_CACHE_DIR: unset it, or fill it") from exc

    def _said(self, exc: OpenAIError) -> str:
        """What went wrong in one sentence, the key taken out of whatever the server echoes."""
        import openai

        where = f"{self.id} at {self._base_url}"
        match exc:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{where} refused the key ({exc.status_code}): check OPENAI_API_KEY"
            case openai.APITimeoutError():
                return f"{where} did not answer within {self._timeout:g} s: try again, or another --llm"
            case openai.APIConnectionError():
                return f"{where} cannot be reached: check the address (OPENAI_BASE_URL) and that the server runs"
            case openai.RateLimitError():
                return f"{where} refused for now ({exc.status_code}: rate or quota): try again later"
            case openai.NotFoundError():
                return f"{where} knows no such model or address (404): check both"
        return f"{where} failed: {self._without_key(str(exc))}"

    def _without_key(self, text: str) -> str:
        key = self._key.get_secret_value()
        return text.replace(key, "***") if key else text


def _environment(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def _whole_number(name: str, default: int) -> int:
    value = _environment(name)
    if value and not value.isdecimal():
        raise ConfigError(f"{name} must be a number of tokens, not {value!r}")
    return int(value) if value else default


def _text(chunk: AIMessageChunk) -> str:
    return chunk.content if isinstance(chunk.content, str) else str(chunk.text)


def _usage(chunk: AIMessageChunk) -> Usage | None:
    told = chunk.usage_metadata
    if not told:
        return None
    cached = (told.get("input_token_details") or {}).get("cache_read", 0) or 0
    return Usage(told["input_tokens"], told["output_tokens"], cached)
