"""`openai:` any server that speaks OpenAI's chat protocol: OpenAI, vLLM, LM Studio, llama.cpp and many others."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from rag.errors import ConfigError
from rag.llms.compatible import CompatibleLLM
from rag.network.endpoint import Endpoint, environment, whole_number

OFFICIAL = "https://api.openai.com/v1"
CONTEXT_TOKENS = 8192
_ADDRESS = ("RAG_OPENAI_BASE_URL", "OPENAI_BASE_URL")
TIMEOUT = 60.0


class OpenAILLM(CompatibleLLM):
    """A model behind an OpenAI-compatible endpoint. `tests/contracts/llm.py` is its contract.

    The endpoint is `base_url`, or RAG_OPENAI_BASE_URL, OPENAI_BASE_URL, OpenAI's own, in that order; the
    key comes from OPENAI_API_KEY and appears in no message, repr or log. `context_tokens` is the server's
    context window (RAG_OPENAI_CONTEXT_TOKENS), which the protocol does not give. `timeout` is the longest
    wait in seconds, for the connection and between two pieces. Grammars are ignored, and the server decides
    whether a last message by the assistant is continued. Nothing is traced unless the user has set
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
        """Raises ConfigError if OpenAI's own endpoint has no key; nothing is sent yet."""
        named = next((name for name in _ADDRESS if environment(name)), _ADDRESS[-1])
        address = base_url or environment(*_ADDRESS) or OFFICIAL
        key = api_key or SecretStr(environment("OPENAI_API_KEY"))
        official = address.startswith(OFFICIAL)
        if not key.get_secret_value() and official:
            raise ConfigError(
                f"openai:{model} needs a key: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own"
            )
        endpoint = Endpoint(f"openai:{model}", address, key, "OPENAI_API_KEY", named, timeout)
        super().__init__(
            endpoint,
            model,
            context_tokens=context_tokens or whole_number("RAG_OPENAI_CONTEXT_TOKENS", CONTEXT_TOKENS),
            max_tokens_as=_official if official else None,
            max_retries=max_retries,
        )

    def __repr__(self) -> str:
        return f"OpenAILLM({self.id.partition(':')[2]!r}, base_url={self._endpoint.address!r})"


def _official(max_tokens: int) -> dict[str, Any]:
    return {"max_completion_tokens": max_tokens}
