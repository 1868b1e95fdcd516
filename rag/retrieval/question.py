"""A question, read once: its language, its terms, the kind of answer that it wants."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from rag.retrieval.kinds import Kind, kind_of, without_asking
from rag.text import content_terms, find_numbers, language, script

__all__ = ["ASKING", "ASKS_FOR", "Question", "read_question"]

ASKING = re.compile(r"什么|谁|哪|几|多少|多[长久大高重远快]|何|怎|如何|为什么")
ASKS_FOR = re.compile(rf"\b(?:what|which|who|whom|whose|when|where|why|how)\b|{ASKING.pattern}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `terms` are its content terms, `numbers` its numbers in digits.

    `sought` is the text without the words that only ask.
    """

    text: str
    language: Literal["zh", "en"]
    script: Literal["latin", "other"]
    kind: Kind
    terms: Set[str]
    numbers: Set[str]
    sought: str

    @property
    def is_short(self) -> bool:
        """Whether one sentence answers it; a count does, where no table is computed over."""
        return self.kind in ("fact", "yesno", "table")


def read_question(text: str, kind: Kind | None = None) -> Question:
    """`text` as a Question; `kind` where it is known."""
    kind = kind or kind_of(text)
    return Question(
        text,
        language(text),
        script(text),
        kind,
        frozenset(content_terms(text)),
        frozenset(find_numbers(text)),
        without_asking(text, kind),
    )
