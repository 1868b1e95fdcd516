"""Any LangChain chat model as a language model: a `BaseChatModel` instance, or what a provider's string makes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

from rag.errors import ConfigError, LLMError, RagError
from rag.llms import LLM, Piece
from rag.llms.prices import with_cost
from rag.llms.thinking import Thought, ThoughtTags, find_thought
from rag.network.budget import Budget
from rag.network.endpoint import Endpoint
from rag.network.failures import failure, sentence
from rag.network.retry import RetryPolicy, retry
from rag.network.tokens import count, encoding_for
from rag.text.sanitise import well_formed
from rag.types import Message, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk
    from tiktoken import Encoding

__all__ = ["LangChainLLM", "adopt"]

CONTEXT_TOKENS = 8192
SECONDS = 120.0
_LIMITS = ("max_tokens", "max_output_tokens", "num_predict", "max_new_tokens", "max_completion_tokens")
MOST_BYTES = 16_000_000
"""Bytes that a server may send for one answer: some hundred for each token of a long one."""
_OTHERS_TOKENS = 3  # a model's own tokens may be so much shorter than those that are counted here
_TRIES = RetryPolicy(tries=3, connections=3, longest=20.0)
_AROUND = 8  # tokens that a template adds to a message, approximately


class LangChainLLM:
    """A LangChain chat model. `tests/contracts/llm.py` tests what it must do.

    `connect` creates it at first use. `context_tokens` None: the value of the model's profile. `whole`: a prompt
    that is too long is an error here, since the engine would cut it silently. `thinks`: tokens that the model
    may use for thinking before it answers, beyond `max_tokens`. `sums`: usage comes in parts to be added, as
    LangChain defines it; else the last part is the total. Grammars are ignored; there are no log-probabilities.
    An answer has `seconds` in all, tries by `policy` together, and MOST_BYTES.
    """

    sums = True

    def __init__(
        self,
        endpoint: Endpoint,
        connect: Callable[[], BaseChatModel],
        *,
        context_tokens: int | None = None,
        whole: bool = False,
        thinks: int = 0,
        policy: RetryPolicy = _TRIES,
    ) -> None:
        self.seconds = SECONDS
        self._endpoint, self._connect, self._policy = endpoint, connect, policy
        self._given_context, self._whole, self._thinks = context_tokens, whole, thinks
        self._no_temperature = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, address={self._endpoint.address!r})"

    @property
    def id(self) -> str:
        return self._endpoint.name

    @cached_property
    def context_tokens(self) -> int:
        if self._given_context:
            return self._given_context
        profile = getattr(self._model, "profile", None) or {}
        return int(profile.get("max_input_tokens") or CONTEXT_TOKENS)

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` by tiktoken: exact for OpenAI's models, approximate for others."""
        return count(self._encoding, well_formed(text))

    def stream(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        grammar: str | None = None,  # noqa: ARG002
    ) -> Iterator[Piece]:
        """See `LLM.stream`; closing the iterator closes the connection. A model's thinking comes as `Thought`s."""
        if not messages or max_tokens < 1:
            raise LLMError(f"{self.id} needs a message and max_tokens above 0, not {max_tokens}")
        turns = [(m.role, well_formed(m.content)) for m in messages]
        if self._whole:
            self._refuse_long(sum(self.count_tokens(text) + _AROUND for _, text in turns))
        return self._pieces(turns, max_tokens)

    def close(self) -> None:
        """Close the connections."""
        self.__dict__.pop("_model", None)

    def _refuse_long(self, tokens: int) -> None:
        if tokens > self.context_tokens:
            raise LLMError(
                f"the prompt has about {tokens} tokens and {self.id} takes {self.context_tokens}: "
                "ask with fewer passages (--top-k) or a shorter question"
            )

    def _pieces(self, turns: Sequence[tuple[str, str]], max_tokens: int) -> Iterator[Piece]:
        usage, tags, budget = Usage(), ThoughtTags(), Budget(self.seconds, MOST_BYTES)
        left = self._most(max_tokens)
        try:
            with closing(self._chunks(turns, max_tokens, budget)) as chunks:
                for chunk in chunks:
                    usage = self._add(usage, chunk)
                    answer, thought = tags.feed(str(chunk.text))
                    thought = find_thought(chunk.content, chunk.additional_kwargs) + thought
                    yield from _split(answer, thought)
                    left -= self.count_tokens(answer + thought)
                    if left <= 0:
                        break
            yield from _split(*tags.rest())
        except RagError:
            raise
        except Exception as exc:
            raise LLMError(self._message(exc, budget)) from exc
        yield Piece("", {}, with_cost(self._endpoint, usage))

    def _chunks(
        self, turns: Sequence[tuple[str, str]], max_tokens: int, budget: Budget
    ) -> Generator[AIMessageChunk]:
        """What the model streams within `budget`; until its first chunk a request is tried again."""

        def begin() -> tuple[Any, list[Any]]:
            model, options = self._limited(max_tokens + self._thinks)
            chunks = model.stream(list(turns), **options)
            return chunks, list(islice(chunks, 1))

        try:
            chunks, first = retry(begin, self._policy, Event(), budget)
        except Exception as exc:
            if not self._only_temperature(exc):
                raise
            chunks, first = retry(begin, self._policy, Event(), budget)
        with closing(chunks):
            yield from first
            yield from budget.over(chunks)

    def _most(self, max_tokens: int) -> int:
        """The tokens, as we count them, at which an answer ends that its engine should have ended."""
        return (max_tokens + self._thinks) * (_OTHERS_TOKENS if self._bounded else 1)

    def _limited(self, max_tokens: int) -> tuple[Any, dict[str, Any]]:
        """The model with its output limited, and the options of each request."""
        update: dict[str, Any] = {"temperature": None} if self._no_temperature else {}
        if self._bounded:
            update[self._bounded] = max_tokens
        return (self._model.model_copy(update=update) if update else self._model), {}

    @cached_property
    def _bounded(self) -> str:
        """The model's field that limits its answers, "" if it has none: then answers are limited here."""
        fields = type(self._model).model_fields
        return next((name for name in _LIMITS if name in fields), "")

    def _add(self, usage: Usage, chunk: AIMessageChunk) -> Usage:
        told = chunk.usage_metadata
        if not told:
            return usage
        cached = (told.get("input_token_details") or {}).get("cache_read", 0) or 0
        if not self.sums:
            return Usage(told["input_tokens"], told["output_tokens"], cached)
        return Usage(
            usage.prompt + told["input_tokens"], usage.completion + told["output_tokens"], usage.cached + cached
        )

    def _only_temperature(self, exc: Exception) -> bool:
        """Whether the model takes no temperature, like reasoning models; then it is sent without."""
        found = failure(exc)
        if self._no_temperature or found.kind != "request" or "temperature" not in found.said:
            return False
        self._no_temperature = True
        return True

    def _message(self, exc: Exception, budget: Budget) -> str:
        found = failure(exc)
        if found.kind == "length":
            return (
                f"{self.id} finds the prompt too long: ask with fewer passages (--top-k) or a shorter question; "
                f"it says: {self._endpoint.hide(found.said)}"
            )
        return sentence(self._endpoint, found, budget.spent)

    @cached_property
    def _model(self) -> BaseChatModel:
        return self._connect()

    @cached_property
    def _encoding(self) -> Encoding:
        return encoding_for(self.id.partition(":")[2])


def adopt(llm: object) -> LLM:
    """`llm` itself if it is an `LLM`, or a LangChain chat model wrapped as one. Raises ConfigError for others."""
    if isinstance(llm, LLM):
        return llm
    from langchain_core.language_models import BaseChatModel

    if isinstance(llm, BaseChatModel):
        named = getattr(llm, "model_name", None) or getattr(llm, "model", None) or type(llm).__name__
        return LangChainLLM(Endpoint(f"langchain:{named}", ""), lambda: llm)
    raise ConfigError(f"{type(llm).__name__} is no language model: pass a name, an LLM or a LangChain chat model")


def _split(answer: str, thought: str) -> Iterator[Piece]:
    if thought:
        yield Thought("", {}, None, thought)
    if answer:
        yield Piece(answer, {})
