"""Turns of a conversation: follow-up questions are made to stand alone before they are searched."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rag.answering.answerer import Answerer, final_answer
from rag.conversation.followup import (
    followup_queries,
    is_faithful_rewrite,
    is_followup,
    is_short,
    recent_turns,
    standalone,
    swap_name,
)
from rag.llms import LLM
from rag.llms.profile import profile_of
from rag.llms.prompts import render, reply
from rag.text import language
from rag.text.injection import sanitise_for_model
from rag.types import Answer, Message, Where

_LONGEST = 64  # tokens of a rewritten question

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Chat:
    """A conversation over one index.

    `history` holds its answers in order, `asked` the last question in the form that was put to the model; `where`
    is the filter of every question.
    """

    answerer: Answerer
    history: list[Answer] = field(default_factory=list)
    asked: str = ""
    where: Where | None = None

    def ask(self, question: str) -> Answer:
        """The answer to `question`, read in the light of the turns before it."""
        return final_answer(self.stream(question))

    def stream(self, question: str) -> Iterator[str | Answer]:
        """Pieces of the answer's text, then the `Answer`; its `asked` is the rewritten question."""
        self.asked, context = self._standalone(question)
        for piece in self.answerer.stream(question, self.where, self.asked, context):
            if isinstance(piece, Answer):
                self.history.append(piece)
            yield piece

    def new(self) -> None:
        """Forget the turns so far."""
        self.history.clear()

    def _standalone(self, question: str) -> tuple[str, Sequence[str]]:
        """The question as it is put to the model, and what is searched in its place (nothing: itself)."""
        if not self.history or not question.strip():
            return question, ()
        if not is_followup(question):
            return question, followup_queries(question, self.history, question) if is_short(question) else ()
        rewritten = swap_name(question, self.history)
        if not rewritten and self.answerer.llm:
            rewritten = rewrite(self.answerer.llm, self.history, question)
        return rewritten or standalone(question, self.history), followup_queries(question, self.history, rewritten)


def rewrite(llm: LLM, history: Sequence[Answer], question: str) -> str:
    """`question` as one that stands alone, by the model; "" where it does not keep to the conversation."""
    tongue = language(question)
    budget = profile_of(llm).history
    turns = sanitise_for_model("\n".join(recent_turns(history, budget, llm.count_tokens)))
    said = [
        Message("system", render(f"rewrite.{tongue}")),
        Message("user", render(f"turns.{tongue}", turns=turns, question=question)),
    ]
    line = reply(llm, said, _LONGEST).strip('"“”')
    if line and is_faithful_rewrite(line, question, history):
        return line
    log.debug("rewriting not taken: %s", line)
    return ""
