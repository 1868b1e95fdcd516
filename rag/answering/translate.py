"""A question in one language, documents in the other: a small model reads and answers better in theirs.

So the question is put in the documents' language, and searched and answered as if it had been asked so; what was
found is said in the language of the question, beside the document's own words. What the model writes that is no
translation (an answer of its own, other numbers, another meaning) is not taken.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rag.embedders import Embedder
from rag.grounding.support import same_meaning
from rag.llms import LLM
from rag.llms.prompts import reply, turns
from rag.retrieval.question import ASKS_FOR
from rag.text import find_numbers, language
from rag.text.injection import sanitise_for_model
from rag.types import Hit

__all__ = ["is_foreign", "translate_claim", "translate_question"]

_LONGEST = 96  # tokens of a translation

log = logging.getLogger(__name__)


def is_foreign(question: str, hits: Sequence[Hit]) -> bool:
    """Whether the best of `hits` is in another language than `question`."""
    return language(hits[0].chunk.text) != language(question)


def translate_question(question: str, llm: LLM) -> str:
    """`question` in the other language, Chinese or English; "" where the model writes no such question."""
    said = reply(llm, turns(f"translate.{language(question)}", question=question), _LONGEST)
    asks = said.endswith(("?", "？")) and bool(ASKS_FOR.search(said)) >= bool(ASKS_FOR.search(question))
    if asks and language(said) != language(question) and find_numbers(said) == find_numbers(question):
        return said
    log.debug("translation not taken: %s", said)
    return ""


def translate_claim(claim: str, tongue: str, llm: LLM, embedder: Embedder) -> str:
    """`claim`, an answer in a document's language, in `tongue`, its own words in brackets behind.

    `claim` alone where it is in `tongue`, a number or a name in Latin letters, and where the model's words do not
    mean the same.
    """
    if language(claim) == tongue or not any(map(str.isalpha, claim)) or (tongue == "zh" and _is_name(claim)):
        return claim
    said = reply(llm, turns(f"retell.{tongue}", phrase=sanitise_for_model(claim)), _LONGEST).rstrip(" .。")
    if (
        said
        and language(said) == tongue
        and find_numbers(said) == find_numbers(claim)
        and same_meaning(said, claim, embedder)
    ):
        return f"{said} ({claim})" if tongue == "en" else f"{said}（{claim}）"
    log.debug("translation not taken: %s", said)
    return claim


def _is_name(text: str) -> bool:
    """Whether no word of a Latin text begins with a small letter: a name is best left as it is written."""
    return not any(word[0].islower() for word in text.split())
