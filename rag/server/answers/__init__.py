"""In: a client's question. Out: its answer as it is written, in turn, stopped when nobody reads it."""

__all__ = ["asking", "chosen", "turns", "writing"]
