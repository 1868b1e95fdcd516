"""An index by itself, without any model: what it holds, what it was made with, and its upkeep."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rag import __version__
from rag.config import Settings, load_settings
from rag.errors import IndexMissing, StoreError
from rag.stores import CanCheck, Checked, HasStatistics, Store, open_store
from rag.types import Document, Manifest

if TYPE_CHECKING:
    from langchain_core.vectorstores import VectorStore

    from rag.embedders import Embedder
    from rag.stores.copy import Anew, Copied

__all__ = ["Index", "Status"]

_KERNELS = ("onnxruntime", "faiss-cpu", "xllamacpp", "numpy")  # the packages that do the arithmetic


@dataclass(frozen=True, slots=True)
class Status:
    """What an index holds, and what there is on this machine.

    `index` has its `url` and its counts; `manifest` is None while nothing has been ingested. `models` says
    of each model of the catalogue whether it is "here" or "missing"; `kernels` are versions of packages;
    `profile` is how many tokens the language model of `settings` is given to read, and may write.
    """

    index: Mapping[str, int | str]
    manifest: Manifest | None
    models: Mapping[str, str]
    kernels: Mapping[str, str]
    settings: Settings
    profile: Mapping[str, float]
    machine: Mapping[str, int | str | None]

    def as_json(self) -> dict[str, dict[str, Any]]:
        """What `rag status --json` shows, by part; without the password that a store's URL may hold."""
        return {
            "index": dict(self.index),
            "manifest": asdict(self.manifest) if self.manifest else {},
            "models": dict(self.models),
            "kernels": dict(self.kernels),
            "settings": {**asdict(self.settings), "index": self.index["url"]},
            "profile": dict(self.profile),
            "machine": dict(self.machine),
        }


class Index:
    """The index at a store, without embedder or language model. `rag.RAG` is one with both.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    @classmethod
    def open(cls, index: str | Store | VectorStore | None = None, **settings: Any) -> Self:
        """The index at `index`, chosen as by `RAG.open`; no model is loaded. Raises ConfigError, MissingExtra."""
        named = {"index": index} if isinstance(index, str) else {}
        chosen = load_settings({**named, **settings})
        return cls(store_at(index, chosen), chosen)

    def manifest(self) -> Manifest:
        """What the index was made with. Raises IndexMissing while nothing has been ingested."""
        made = self.store.manifest()
        if made is None:
            raise IndexMissing(self.store.url)
        return made

    def sources(self) -> list[Document]:
        """The files in the index, by name. Raises IndexMissing."""
        self.manifest()
        return sorted(self.store.documents().values(), key=lambda document: document.source)

    def status(self) -> Status:
        """What the index holds, and which models and engines this machine has."""
        from rag.llms import profile_named
        from rag.weights.cache import cache_dir, catalogue, is_present

        profile = profile_named(self.settings.llm)
        return Status(
            index={"url": self.store.url, **self._counts()},
            manifest=self.store.manifest(),
            models={name: "here" if is_present(model) else "missing" for name, model in catalogue().items()},
            kernels={name: version(name) for name in _KERNELS},
            settings=self.settings,
            profile={k: v for k, v in asdict(profile).items() if isfinite(v)} if profile else {},
            machine={
                "ragstone": __version__,
                "python": platform.python_version(),
                "system": platform.platform(),
                "cores": os.cpu_count(),
                "models in": str(cache_dir()),
            },
        )

    def _counts(self) -> dict[str, int | str]:
        if self.store.manifest() is None:
            return {"empty": f"rag ingest FOLDER --index {self.store.url}"}
        return self.store.statistics() if isinstance(self.store, HasStatistics) else {}

    def forget(self, *sources: str, dry_run: bool = False) -> list[str]:
        """Remove sources from the index and return their names.

        Each is a name, a folder ("drafts", or its path, whether it is still there or not) or a glob ("drafts/*").
        With `dry_run` nothing is removed. Raises IndexMissing, IndexLocked, and StoreError where one of them
        matches nothing; then nothing is removed either.
        """
        made = self.manifest()
        if dry_run:
            return _matching(self.store.documents(), sources)
        with self.store.write(made) as writer:
            names = _matching(self.store.documents(), sources)
            writer.remove(names)
            writer.commit()
        return names

    def copy_to(
        self,
        target: str | Store,
        progress: Callable[[int, int], None] | None = None,
        embedder: str | Embedder | None = None,
    ) -> Copied:
        """Copy the index to `target`, a store or its URL; then compare searches. No file is read again.

        With an `embedder`, an instance or its name, the text in the index is embedded anew by it; without, no
        model is loaded. `progress` is called with the documents done and all. Raises what
        `rag.stores.copy.copy` and `rag.embedders.load_embedder` raise.
        """
        from rag.stores.copy import copy

        anew = None if embedder is None else self._anew(embedder)
        if not isinstance(target, str):
            return copy(self.store, target, progress=progress, anew=anew)
        opened = open_store(target)
        try:
            return copy(self.store, opened, progress=progress, anew=anew)
        finally:
            opened.close()

    def check(self, repair: bool = False) -> Checked:
        """Whether what is in the index is what was written; with `repair` it is made anew from what is whole.

        Nothing is embedded: the sources that are `lost` are read again by the next ingest of their folder.
        Raises IndexMissing, IndexLocked, StoreError where nothing can be saved or where the engine checks itself.
        """
        if not isinstance(self.store, CanCheck):
            raise StoreError(f"{self.store.url} is a server's, which checks what it keeps itself: see its manual")
        return self.store.repair() if repair else self.store.check()

    def _anew(self, embedder: str | Embedder) -> Anew | None:
        """How `embedder` makes vectors of texts; None where the index has these already."""
        from rag.embedders import load_embedder
        from rag.stores.copy import Anew

        model = load_embedder(embedder) if isinstance(embedder, str) else embedder
        held = self.manifest()
        if (model.id, model.weights) == (held.embedder, held.weights):
            return None
        return Anew(model.id, model.weights, model.dim, model.embed_documents)

    def close(self) -> None:
        """Release the index."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def store_at(index: str | Store | VectorStore | None, settings: Settings) -> Store:
    """`index` as a store: opened where it is a URL, that of `settings` where it is None."""
    if index is None or isinstance(index, str):
        return open_store(settings.index)
    if isinstance(index, Store):
        return index
    from rag.stores.langchain import LangChainStore

    return LangChainStore(index)


def _matching(known: Mapping[str, Document], wanted: Sequence[str]) -> list[str]:
    """The sources of these names, folders or globs, by name. Raises StoreError for one that matches nothing."""
    found: set[str] = set()
    for name in wanted:
        matches = [name] if name in known else _in_folder(known, name)
        matches = matches or [source for source in known if fnmatchcase(source, name)]
        if not matches:
            raise StoreError(f"the index has no source {name!r}: `rag sources` lists them")
        found.update(matches)
    return sorted(found)


def _in_folder(known: Mapping[str, Document], name: str) -> list[str]:
    """The sources in a folder, as sources are named or by its path."""
    inside, folder = name.rstrip("/\\") + "/", Path(name).expanduser().absolute()
    return [
        source
        for source, document in known.items()
        if source.startswith(inside) or (document.path and Path(document.path).is_relative_to(folder))
    ]
