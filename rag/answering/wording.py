"""The two forms of an answer: in the fewest words, and with the words of the document that say it."""

from __future__ import annotations

import re

from rag.retrieval.question import ASKING
from rag.text import content_terms, language
from rag.text.sanitise import strip_list_markup

__all__ = ["ASKING", "in_quotes", "quotation", "without_markers"]

LONGEST = 500
"""Characters of the longest quotation within an answer; the citation has all of it."""

_MARKERS = re.compile(r"\s*\[\d+(?:\s*[,，-]\s*\d+)*\]|【\d+】")


def without_markers(text: str) -> str:
    """`text` without numbers in brackets, which a reader would take for citations of ours."""
    return _MARKERS.sub("", text)


def quotation(claim: str, support: str, enough: float) -> str:
    """`support` as quoted beside `claim`; "" where the claim holds the share `enough` of its terms itself."""
    held = content_terms(support)
    if len(held & content_terms(claim)) >= enough * len(held):
        return ""
    text = strip_list_markup(" ".join(without_markers(support).split()))
    return in_quotes(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")


def in_quotes(text: str) -> str:
    """`text` between the quotation marks of its language."""
    return f"“{text}”" if language(text) == "en" else f"「{text}」"
