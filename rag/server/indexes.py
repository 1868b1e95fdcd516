"""The indexes that one server answers from, by name; the first is the one meant where none is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from rag.api import RAG
from rag.config import load_settings
from rag.errors import ConfigError
from rag.llms import LLM, load_llm
from rag.server.failures import Failed

MODEL = "ragstone"
"""What this program is called as a model: "ragstone" is its first index, "ragstone/NAME" the one of that name."""


class Indexes:
    """Opened indexes. One that was made anew by another process is opened again when it is next asked for."""

    def __init__(self, urls: Mapping[str, str], llm: LLM | str | None = None, **settings: Any) -> None:
        """Open the index at each URL. `settings` as for `RAG.open`, `llm` a name or an instance."""
        for name in urls:
            if not name.replace("-", "").replace("_", "").isalnum() or len(name) > 60:
                raise ConfigError(f"{name!r} is no name for an index: use letters, digits, - and _")
        self.settings = load_settings(settings)
        self._urls, self._given = dict(urls), settings | {"llm": "none"}
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._llm: LLM | str | None = self.settings.llm if llm is None else llm
        self._opened: dict[str, RAG] = {}
        try:
            for name in self._urls:
                self._opened[name] = self._open(name)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def __len__(self) -> int:
        return len(self._urls)

    @property
    def first(self) -> str:
        return next(iter(self._urls))

    def get(self, name: str | None = None) -> RAG:
        """The index called `name`, the first for None. Raises Failed (404), or what opening it raises."""
        name = name or self.first
        if name not in self._urls:
            raise Failed(404, f"there is no index {name[:60]!r}: {', '.join(self._urls)}", "unknown_index")
        with self._lock:
            rag = self._opened[name]
            made = rag.store.manifest()
            if made is not None and (made.embedder, made.weights) != (rag.embedder.id, rag.embedder.weights):
                self._opened[name] = self._open(name)  # the other stays open for those who still read it
            return self._opened[name]

    @property
    def llm_name(self) -> str:
        return self._llm if isinstance(self._llm, str) else self._llm.id if self._llm else "none"

    @property
    def llm(self) -> LLM | None:
        """The language model that writes for all indexes, loaded when it is first needed."""
        with self._loading:
            if isinstance(self._llm, str):
                self._llm = load_llm(self._llm, self.get(self.first).settings.answer_seconds)
            return self._llm

    def load(self) -> None:
        """Have every model in memory: nobody waits for that later, and what is missing shows now."""
        for rag in self._opened.values():
            rag.embedder.embed_queries(["ready?"])
        if (llm := self.llm) is not None:
            llm.count_tokens("ready?")

    def of_model(self, model: str) -> tuple[str, RAG]:
        """The index that a model's name means, with its name. Raises Failed (404)."""
        kind, _, name = model.partition("/")
        if kind != MODEL:
            raise Failed(404, f"there is no model {model[:60]!r}: {', '.join(self.models())}", "model_not_found")
        return name or self.first, self.get(name)

    def models(self) -> list[str]:
        return [MODEL, *(f"{MODEL}/{name}" for name in self._urls)]

    def close(self) -> None:
        if self._llm is not None and not isinstance(self._llm, str):
            self._llm.close()
        for rag in self._opened.values():
            rag.close()

    def _open(self, name: str) -> RAG:
        return RAG.open(self._urls[name], **self._given)
