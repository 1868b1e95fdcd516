"""Passages to an answer: the model writes, and what the passages do not support is not said.

In: a question, and a store, an embedder and a language model. Out: pieces of text, then an `Answer`.
Read `answerer` first: it names the steps in order.
"""

__all__ = [
    "answerer",
    "claims",
    "compare",
    "draft",
    "generate",
    "introduce",
    "overview",
    "prompt",
    "rows",
    "rows_asked",
    "short",
    "translate",
    "wording",
]
