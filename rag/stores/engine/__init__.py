"""An index on any engine without transactions: what Qdrant, Redis, Milvus and others have in common.

In: an engine that can do the few acts of `protocol.Engine`. Out: a whole `Store` with lock, commits and BM25.
"""

__all__ = ["frequencies", "lease", "protocol", "ranges", "records", "state", "store", "writer"]
