"""What a model can read in the time that a person waits, and how its words are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rag.llms import LLM

__all__ = ["LARGE", "LARGE_HERE", "SMALL", "HasProfile", "Profile", "profile_of"]


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is put before a model, in tokens, and how long it may answer.

    `fact` and `longer` are for passages, by what is asked; `within` is how far below the best a sentence may
    be that is read for a fact; `history` for the turns of a conversation that it reads to rewrite a question.
    `reads_both`: Chinese and English equally well, so that nothing needs to be translated.
    """

    fact: int
    longer: int
    within: float
    history: int
    answer_fact: int
    answer_longer: int
    reads_both: bool


SMALL = Profile(fact=260, longer=640, within=1.0, history=240, answer_fact=80, answer_longer=220, reads_both=False)
"""Up to about four billion parameters on a processor: 50 to 170 tokens are read a second."""
LARGE = Profile(
    fact=2400, longer=4000, within=math.inf, history=1500, answer_fact=200, answer_longer=700, reads_both=True
)
"""A service's model."""
LARGE_HERE = Profile(
    fact=700, longer=1400, within=2.0, history=600, answer_fact=150, answer_longer=400, reads_both=True
)
"""A larger model on this machine's processor: it reads both languages, and ten to forty tokens a second."""


@runtime_checkable
class HasProfile(Protocol):
    """A model that knows what it can read; the others are taken for a service's."""

    @property
    def profile(self) -> Profile: ...


def profile_of(llm: LLM) -> Profile:
    """What `llm` can read."""
    return llm.profile if isinstance(llm, HasProfile) else LARGE
