"""Chat models behind an endpoint like OpenAI's: DeepSeek, DashScope and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rag.errors import MissingExtra
from rag.llms.langchain import LangChainLLM
from rag.network.budget import keep_budgets
from rag.network.endpoint import Endpoint
from rag.network.retry import RetryPolicy

__all__ = ["CompatibleLLM"]


class CompatibleLLM(LangChainLLM):
    """`model` at an endpoint with OpenAI's chat protocol; the field `max_tokens_as` limits an answer."""

    sums = False

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        context_tokens: int,
        thinks: int = 0,
        max_tokens_as: Callable[[int], dict[str, Any]] | None = None,
        max_retries: int = 2,
    ) -> None:
        super().__init__(
            endpoint,
            lambda: _connect(endpoint, model),
            context_tokens=context_tokens,
            thinks=thinks,
            policy=RetryPolicy(tries=max_retries + 1, connections=max_retries + 1, longest=20.0),
        )
        self._max_tokens_as = max_tokens_as or _in_the_body

    def _limited(self, max_tokens: int) -> tuple[Any, dict[str, Any]]:
        model: Any = self._model
        if self._no_temperature:
            model = model.model_copy(update={"temperature": None})
        return model, self._max_tokens_as(max_tokens)


def _in_the_body(max_tokens: int) -> dict[str, Any]:
    """OpenAI's newer models take only max_completion_tokens; other servers may know only max_tokens."""
    return {"extra_body": {"max_tokens": max_tokens}}


def _connect(endpoint: Endpoint, model: str) -> Any:
    try:
        from rag.llms.reasoningchat import ReasoningChat
    except ImportError as exc:
        raise MissingExtra(endpoint.name, "langchain-openai") from exc
    made = ReasoningChat(
        model=model,
        base_url=endpoint.address,
        api_key=endpoint.secret,
        temperature=0,
        timeout=endpoint.timeout,
        max_retries=0,  # `rag.network.retry` does it
        stream_usage=True,
    )
    keep_budgets(made)
    return made
