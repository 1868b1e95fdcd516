"""The embedders that ragstone brings: the default "bilingual", and "minilm" for English alone.

In: the models' weights, and texts. Out: vectors, computed on this machine without torch.
"""

__all__ = ["bilingual", "english", "graph", "minilm", "runtime", "use"]
