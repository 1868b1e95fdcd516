"""An index in PostgreSQL with pgvector: vectors and postings in tables, a commit is a transaction.

In: a URL as `postgresql://HOST/DATABASE`. Out: a `Store`; `store.PostgresStore` is the way in.
"""

__all__ = ["connection", "store", "writer"]
