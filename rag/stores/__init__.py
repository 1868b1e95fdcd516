"""Where chunks and their vectors are kept, and the two searches over them.

In: the URL of an index. Out: a `Store`, which is searched by vectors and by terms, and has one `Writer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from rag.errors import ConfigError
from rag.types import Chunk, Document, Manifest, Scored, Vector, Vectors, Where

__all__ = [
    "CanCheck",
    "CanDump",
    "CanPutInParts",
    "Checked",
    "HasStatistics",
    "KnowsScripts",
    "Store",
    "Writer",
    "open_store",
]


class Writer(Protocol):
    """The only writer of an index. Changes that are not committed when it closes are lost."""

    def put(self, document: Document, chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add `document`, replacing an earlier one of the same source. Rows of `vectors` match `chunks`."""
        ...

    def remove(self, sources: Iterable[str]) -> int:
        """Remove these sources; returns how many of them were there."""
        ...

    def commit(self) -> None:
        """Make all changes since the last commit visible to readers, in one step that survives a power cut."""
        ...


@runtime_checkable
class Store(Protocol):
    """An index, read by many threads and processes at once. `tests/contracts/store.py` tests what it must do."""

    @property
    def url(self) -> str: ...

    def manifest(self) -> Manifest | None:
        """What the index was made with; None while nothing has been written."""
        ...

    def documents(self) -> Mapping[str, Document]:
        """Every file in the index, by source."""
        ...

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks nearest to `query` by cosine, best first."""
        ...

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        """The `n` chunks with the best BM25 for `terms` (as `rag.text.search_terms` gives them), best first.

        The score is BM25 divided by the most that it could be for these terms, including those that no chunk
        contains: a share of the question in [0, 1], comparable between indexes.
        """
        ...

    def rarities(self, terms: Sequence[str]) -> list[float]:
        """How rare each term is, in (0, 1]: its idf divided by the idf of a term that no chunk contains."""
        ...

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        """The chunks with these ids, in that order."""
        ...

    def write(self, manifest: Manifest) -> AbstractContextManager[Writer]:
        """The writer of the index. Raises IndexLocked, or EmbedderMismatch if the index has another manifest."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class CanPutInParts(Protocol):
    """A writer to which a document of any length can be handed without being held whole."""

    def put_in_parts(
        self, document: Document
    ) -> AbstractContextManager[Callable[[Sequence[Chunk], Vectors], None]]:
        """Add `document` piece by piece; where the block raises, nothing of it stays."""
        ...


@runtime_checkable
class CanDump(Protocol):
    """A store from which an index can be copied."""

    def rows(self, source: str) -> tuple[Document, list[Chunk], Vectors]:
        """A document with its chunks, in order, and their vectors. Raises StoreError if it is not there."""
        ...


@runtime_checkable
class KnowsScripts(Protocol):
    """A store that can say which chunks are in Latin script without reading their text."""

    def latin(self, ids: Sequence[int]) -> list[bool]: ...


@dataclass(slots=True)
class Checked:
    """What a check found: `problems` in a sentence each; the files of the `lost` sources must be read again."""

    documents: int = 0
    chunks: int = 0
    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@runtime_checkable
class CanCheck(Protocol):
    """A store that can tell whether what it holds is what was written, and save what is."""

    def check(self) -> Checked:
        """Read all of the index and compare it with its check sums. Raises IndexMissing."""
        ...

    def repair(self) -> Checked:
        """Make the index anew from the documents that are whole, without embedding. Raises IndexLocked."""
        ...


@runtime_checkable
class HasStatistics(Protocol):
    """A store that can also say how much it holds."""

    def statistics(self) -> dict[str, int | str]:
        """Counts and sizes by name, such as "documents", "chunks", "bytes"."""
        ...


def open_store(url: str) -> Store:  # noqa: PLR0911
    """The store at `url`: "faiss:FOLDER" or its path, "qdrant://host/name" and others. Only `write` creates one.

    Raises ConfigError for an unknown scheme, MissingExtra if its client is not installed.
    """
    scheme, _, rest = url.partition(":")
    if url.startswith(("/", "./", "../", "~", "\\")) or Path(url).drive:  # a folder of ours, as people write one
        scheme, rest = "faiss", url
    match scheme:
        case "faiss" if rest:
            from rag.stores.faiss.store import FaissStore

            return FaissStore(rest)
        case "postgresql" if rest:
            from rag.stores.postgresql.store import PostgresStore

            return PostgresStore(url)
        case "elasticsearch" | "elasticsearch+https" if rest:
            from rag.stores.elasticsearch.store import ElasticsearchStore

            return ElasticsearchStore(url)
        case "qdrant" if rest:
            from rag.stores.qdrant.store import QdrantStore

            return QdrantStore(url)
        case "redis" | "rediss" if rest:
            from rag.stores.redis.store import RedisStore

            return RedisStore(url)
        case "milvus" if rest:
            from rag.stores.milvus.store import MilvusStore

            return MilvusStore(url)
        case "infinity" if rest:
            from rag.stores.infinity.store import InfinityStore

            return InfinityStore(url)
        case "pinecone" if rest:
            from rag.stores.pinecone import PineconeStore

            return PineconeStore(url)
        case "weaviate" if rest:
            from rag.stores.weaviate import WeaviateStore

            return WeaviateStore(url)
        case _:
            # The rest of an unknown URL may hold a password.
            raise ConfigError(
                f"no store is reached by {scheme!r}: use faiss:FOLDER, elasticsearch://, postgresql://, "
                "qdrant://, redis://, milvus://, pinecone:// or weaviate://HOST/NAME, milvus:FILE, infinity:FOLDER"
            )
