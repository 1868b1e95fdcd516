"""A question of a client to what the answerer says, piece by piece."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from rag.answering.answerer import Answerer
from rag.api import RAG
from rag.conversation.chat import Chat
from rag.errors import IndexMissing
from rag.llms import LLM
from rag.server.answers.chosen import ChosenSources
from rag.server.answers.writing import StoppableLLM
from rag.types import Answer, Hit

SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question with the conversation before it, and how it is to be answered.

    `sources`: only these documents (all where empty). `strictness` None: the server's. `quote`: passages alone,
    no model writes.
    """

    question: str
    history: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    strictness: float | None = None
    quote: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The passages that a search found, before anything is written."""

    hits: tuple[Hit, ...]


def answer(
    rag: RAG, load: Callable[[], LLM | None], asked: AnswerRequest, stop: threading.Event
) -> Iterator[Found | str | Answer]:
    """What was found, pieces of the answer's text, then the `Answer`. `load` gives the language model.

    Raises QuestionError, IndexMissing, ModelError, LLMError, Stopped.
    """
    finder = create_finder(rag, asked)
    yield Found(tuple(finder.search(asked.question, rag.settings.top_k)))
    if not asked.quote and (llm := load()) is not None:
        finder = replace(finder, llm=StoppableLLM(llm, stop))
    history = [Answer(question, text, refused=False) for question, text in asked.history]
    yield from Chat(finder, history).stream(asked.question)


def create_finder(rag: RAG, asked: AnswerRequest) -> Answerer:
    """What searches for `asked`, without a language model. Raises IndexMissing."""
    if rag.store.manifest() is None:
        raise IndexMissing(rag.store.url)
    settings = rag.settings
    if asked.strictness is not None:
        settings = replace(settings, strictness=asked.strictness)
    store = ChosenSources(rag.store, asked.sources) if asked.sources else rag.store
    return Answerer(store, rag.embedder, None, settings)


def suggest_headings(answer: Answer) -> list[str]:
    """Headings near what was found, of which nothing was cited: what one could ask about next."""
    cited = {citation.heading[-1] for citation in answer.citations if citation.heading}
    near = [hit.chunk.heading[-1] for hit in answer.hits if hit.chunk.heading]
    fresh = [title for title in near if title not in cited and not title.startswith("row ")]
    return list(dict.fromkeys(fresh))[:SUGGESTED]
