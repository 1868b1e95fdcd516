"""The language models that write answers.

In: the name of a model. Out: an `LLM`, which takes messages and gives pieces of text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rag.errors import ConfigError
from rag.types import Message, Usage

if TYPE_CHECKING:
    from rag.llms.langchain import LangChainLLM
    from rag.llms.profile import Profile

__all__ = ["LLM", "Piece", "load_llm", "profile_named"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a model's answer as it comes.

    `logprobs` maps the most likely tokens at this place to natural-log probabilities; empty if the engine
    does not give them. `usage` is on the last piece.
    """

    text: str
    logprobs: Mapping[str, float]
    usage: Usage | None = None


@runtime_checkable
class LLM(Protocol):
    """A model that writes text. `tests/contracts/llm.py` tests what it must do."""

    @property
    def id(self) -> str: ...
    @property
    def context_tokens(self) -> int: ...

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text`: exact, or tiktoken's count for engines that do not give theirs."""
        ...

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[Piece]:
        """Answer `messages`, piece by piece; closing the iterator stops the engine.

        `grammar` is a GBNF grammar; an engine without grammars ignores it. If the last message is the
        assistant's, it is continued. Decoding is greedy (temperature 0). Raises LLMError.
        """
        ...

    def close(self) -> None: ...


def load_llm(name: str, seconds: float | None = None) -> LLM | None:
    """The model called `name`: "local", "local:NAME-OR-PATH", "openai:MODEL", "deepseek:MODEL",
    "dashscope:MODEL", "ollama:MODEL", a provider that LangChain knows ("anthropic:MODEL"), or "none"
    (None: quotations only). One behind a network has `seconds` for an answer, where they are given.

    Raises ConfigError for an unknown provider or a missing key, ModelError if weights cannot be fetched,
    MissingExtra, LLMError if Ollama does not answer.
    """
    provider, _, model = name.partition(":")
    match provider:
        case "none" if not model:
            return None
        case "local":
            from rag.llms.local.llm import LocalLLM

            return LocalLLM.load(model or None)
        case "openai" if model:
            from rag.llms.openai import OpenAILLM

            made: LangChainLLM = OpenAILLM(model)
        case _ if provider and model:
            from rag.llms.providers import load

            made = load(provider, model)
        case _:
            raise ConfigError(
                f"no language model is called {name!r}: use local, openai:MODEL, deepseek:MODEL, dashscope:MODEL, "
                "ollama:MODEL, PROVIDER:MODEL or none"
            )
    made.seconds = seconds or made.seconds
    return made


def profile_named(name: str) -> Profile | None:
    """How much the model called `name` is given to read and may write, without loading it; None of "none"."""
    from rag.llms.profile import LARGE

    provider, _, model = name.partition(":")
    if provider == "local":
        from rag.llms.local.llm import LocalLLM

        return LocalLLM.profile_named(model or None)
    return None if name == "none" else LARGE
