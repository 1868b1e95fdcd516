"""Turns of a conversation: follow-up questions are made to stand alone before they are searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rag.answer import Answerer, whole
from rag.llms import LLM
from rag.prompt import render
from rag.text import language
from rag.types import Answer, Message

TURNS = 4
"""How many earlier turns a follow-up question is read with."""

_LEANING = re.compile(
    r"\b(it|its|they|them|their|this|that|these|those|he|she|his|her|him|one|ones|there|same|other|another|else)\b"
    r"|^(and|but|or|so|also|what about|how about|why|when|where|how much|how long|which)\b[^?]{0,24}\??$"
    r"|[它他她]|这|那|其|该|此|呢[？?]?$|^(还有|另外|然后|那么|为什么|怎么办|多少|多久|哪)",
    re.IGNORECASE,
)
_CITED = re.compile(r" ?\[\d+\]")


@dataclass(slots=True)
class Chat:
    """A conversation over one index.

    `history` holds its answers in order, `asked` the last question in the form that was searched.
    """

    answerer: Answerer
    history: list[Answer] = field(default_factory=list)
    asked: str = ""

    def ask(self, question: str) -> Answer:
        """The answer to `question`, read in the light of the turns before it."""
        return whole(self.stream(question))

    def stream(self, question: str) -> Iterator[str | Answer]:
        """Pieces of the answer's text, then the `Answer`."""
        self.asked = self._standalone(question)
        for piece in self.answerer.stream(question, asked=self.asked):
            if isinstance(piece, Answer):
                self.history.append(piece)
            yield piece

    def new(self) -> None:
        """Forget the turns so far."""
        self.history.clear()

    def _standalone(self, question: str) -> str:
        if not self.history or not leans(question):
            return question
        if self.answerer.llm is None:
            return f"{self.history[-1].question} {question}"
        return rewrite(self.answerer.llm, self.history[-TURNS:], question)


def leans(question: str) -> bool:
    """Whether a question seems to lean on what was said before ("and that one?", "那第二个呢？")."""
    return bool(_LEANING.search(question.strip()))


def rewrite(llm: LLM, history: list[Answer], question: str) -> str:
    """`question` as one that stands alone, by the model; `question` itself where the model says nothing usable."""
    tongue = language(question)
    turns = "\n".join(f"Q: {turn.question}\nA: {_CITED.sub('', turn.text)}" for turn in history)
    prompt = render(f"rewrite.{tongue}", turns=turns, question=question)
    text = "".join(piece.text for piece in llm.stream([Message("user", prompt)], max_tokens=64))
    line = text.strip().splitlines()[0].strip().strip('"“”') if text.strip() else ""
    return line if 0 < len(line) <= 4 * len(question) + 200 else question
