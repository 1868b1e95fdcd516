"""An index in Qdrant: a point for each chunk.

In: a URL as `qdrant://HOST/NAME`. Out: a `Store`; `store.QdrantStore` is the way in.
"""

__all__ = ["connection", "schema", "store"]
