"""What a model can read, and how its words are taken."""

from __future__ import annotations

import math

from rag.llms import LLM

LOCAL_CONTEXT, REMOTE_CONTEXT = 180, 2400
LOCAL_WITHIN = 0.35
"""A model on this machine reads 50 to 100 tokens a second: it is given no sentence this far below the best."""
# A statement with this share of the terms of what supports it stands without a quotation. A small model's own
# words are a worse account of a document than its sentence; the prose of a larger one reads better alone.
LOCAL_ENOUGH, REMOTE_ENOUGH = 0.9, 0.5


def reading(llm: LLM, wished: int) -> tuple[int, float]:
    """Tokens of passages for a model, `wished` unless that is 0, and how far below the best they may be."""
    if wished or not is_local(llm):
        return wished or REMOTE_CONTEXT, math.inf
    return LOCAL_CONTEXT, LOCAL_WITHIN


def is_local(llm: LLM) -> bool:
    return llm.id.startswith("local:")


LOCAL_HISTORY, REMOTE_HISTORY = 240, 1500
"""Tokens of earlier turns that a model reads to rewrite a question; the oldest turns are left out first."""
