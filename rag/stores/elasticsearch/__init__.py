"""An index in Elasticsearch 8: vectors, BM25 and the lock, all on the server.

In: a URL as `elasticsearch://HOST/NAME`. Out: a `Store`; `store.ElasticsearchStore` is the way in.
"""

__all__ = ["client", "lease", "mappings", "pipeline", "queries", "store", "writer"]
