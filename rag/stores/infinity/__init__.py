"""An index in Infinity, which runs inside this process on a folder.

In: a URL as `infinity:FOLDER`. Out: a `Store`; `store.InfinityStore` is the way in.
"""

__all__ = ["process", "schema", "store"]
