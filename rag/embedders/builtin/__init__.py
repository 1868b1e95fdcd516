"""The embedders that ragstone brings: the default "bilingual", "e5" for many languages, "minilm" for English.

In: the models' weights, and texts. Out: vectors, computed on this machine without torch.
"""

__all__ = ["bert", "bilingual", "e5", "e5_weights", "english", "graph", "minilm", "runtime", "use"]
