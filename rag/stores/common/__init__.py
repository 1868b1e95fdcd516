"""What every store shares, whatever its engine: URLs, the manifest, checks of what is written, weights of BM25.

In: URLs, documents, vectors, terms. Out: the same, taken apart and checked. Nothing here opens a connection.
"""

__all__ = ["address", "bm25", "checks", "glob", "manifest"]
