"""Files to an index: folders are walked, files read, cut into chunks, embedded and committed to a store.

In: paths, a store and an embedder. Out: the filled store, and a report of what became of every file.
Read in this order: `discover`, `reader_pool` (with `loaders`), `chunk`, `indexer`, `pipeline`.
"""

__all__ = ["chunk", "discover", "estimate", "indexer", "langchain", "loaders", "pipeline", "reader_pool", "report"]
