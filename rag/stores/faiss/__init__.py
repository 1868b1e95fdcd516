"""The embedded store, the default: a folder with one SQLite file, searched by FAISS and BM25.

In: a folder. Out: a `Store`; `store.FaissStore` is the way in.
"""

__all__ = [
    "binary_codes",
    "binary_index",
    "bm25_index",
    "check",
    "exact_index",
    "filters",
    "lock",
    "postings",
    "rows",
    "schema",
    "state",
    "store",
    "sums",
    "writer",
]
