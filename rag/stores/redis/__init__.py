"""An index in Redis with search: a hash for each chunk.

In: a URL as `redis://HOST/NAME`. Out: a `Store`; `store.RedisStore` is the way in.
"""

__all__ = ["connection", "schema", "store"]
