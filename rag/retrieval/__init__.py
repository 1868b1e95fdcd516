"""Question to passages: what in the store may answer it.

In: a question, a store and an embedder. Out: `Hit`s, best first, and the passages cut from them.
"""

__all__ = [
    "copies",
    "evidence",
    "fusion",
    "gather",
    "kinds",
    "passages",
    "question",
    "scope",
    "search",
    "split",
    "synonyms",
    "typos",
]
