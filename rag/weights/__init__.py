"""Where model files come from: the catalogue, the cache, and the sources that fill it.

In: the name of a model. Out: a folder with its files, each hashed and found right.
"""

__all__ = ["cache", "catalogue", "derived", "fetch", "http", "huggingface", "modelscope", "transfer", "wheels"]
