"""A store narrowed to some of its documents: what a question is put to when somebody ticks a few."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from rag.retrieval.scope import literal
from rag.stores import Store, Writer
from rag.types import Chunk, Document, Manifest, Scored, Vector, Where


@dataclass(frozen=True, slots=True)
class ChosenSources:
    """`rag.stores.Store`, of whose documents only `sources` are found. Its searches cost one for each."""

    store: Store
    sources: tuple[str, ...]

    @property
    def url(self) -> str:
        return self.store.url

    def manifest(self) -> Manifest | None:
        return self.store.manifest()

    def documents(self) -> Mapping[str, Document]:
        return {source: each for source, each in self.store.documents().items() if source in self.sources}

    def dense(self, query: Vector, n: int, where: Where | None = None) -> list[Scored]:
        return self._best(lambda each: self.store.dense(query, n, each), n, where)

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:
        return self._best(lambda each: self.store.lexical(terms, n, each), n, where)

    def rarities(self, terms: Sequence[str]) -> list[float]:
        return self.store.rarities(terms)

    def chunks(self, ids: Sequence[int]) -> list[Chunk]:
        return self.store.chunks(ids)

    def write(self, manifest: Manifest) -> AbstractContextManager[Writer]:
        return self.store.write(manifest)

    def close(self) -> None:
        """Nothing: the store belongs to whoever opened it."""

    def _best(self, search: Callable[[Where], list[Scored]], n: int, where: Where | None) -> list[Scored]:
        """The best of the searches in each source: both sides' scores can be compared across sources."""
        each = (replace(where or Where(), source=literal(source)) for source in self.sources)
        found = [scored for narrowed in each for scored in search(narrowed)]
        return sorted(found, key=lambda scored: (-scored.score, scored.id))[:n]
