"""An index in Milvus, on a server or in a file by Milvus Lite: a collection of chunks and one of records.

In: a URL as `milvus://HOST/NAME` or `milvus:FILE.db`. Out: a `Store`; `store.MilvusStore` is the way in.
"""

__all__ = ["connection", "schema", "store"]
