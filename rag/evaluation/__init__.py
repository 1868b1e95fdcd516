"""How good are search and answers, measured on questions whose answers are known?

In: a folder in BEIR's layout, an embedder and a language model. Out: figures, and a table of every question.
"""

__all__ = ["answers", "beir", "metrics", "retrieval"]
