"""A language model that says what a script says, for tests of the order of things."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rag.llms import Piece
from rag.llms.profile import SMALL
from rag.text import split_terms
from rag.types import Message, Usage


@dataclass
class ScriptedLLM:
    """Replies with the first value of `script` whose key stands in the prompt, else with `otherwise`.

    The reply comes in pieces of `step` characters. `prompts` keeps what was asked, `open` counts answers
    that were begun and neither finished nor closed. Under a grammar it says `held`, each piece with the
    probability `certain`; `grammars` keeps what it was held to.
    """

    script: Mapping[str, str] = field(default_factory=dict)
    otherwise: str = "NONE"
    step: int = 3
    prompts: list[str] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    likeliest: Mapping[str, float] = field(default_factory=dict)  # the first token's log-probabilities
    held: str = ""
    certain: float = 1.0
    grammars: list[str] = field(default_factory=list)
    open: int = 0
    closed: bool = False
    id: str = "scripted:test"
    context_tokens: int = 4096

    def count_tokens(self, text: str) -> int:
        return len(split_terms(text))

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[Piece]:
        prompt = "\n".join(message.content for message in messages)
        self.prompts.append(prompt)
        self.limits.append(max_tokens)
        reply = next((said for key, said in self.script.items() if key in prompt), self.otherwise)
        if grammar:
            reply = self.held
            self.grammars.append(grammar)
        self.open += 1
        try:
            for at in range(0, len(reply), self.step):
                text = reply[at : at + self.step]
                likeliest = {text: math.log(self.certain)} if grammar else {} if at else dict(self.likeliest)
                yield Piece(text, likeliest)
            yield Piece("", {}, Usage(self.count_tokens(prompt), self.count_tokens(reply)))
        finally:
            self.open -= 1

    def close(self) -> None:
        self.closed = True


class SmallScriptedLLM(ScriptedLLM):
    """One that can read as little as a small model on this machine."""

    profile = SMALL
