"""The Python interface: `RAG` opens an index and ingests, searches, answers and chats over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from rag.answering.answerer import Answerer, final_answer
from rag.config import DEFAULT_EMBEDDER, Settings, load_settings
from rag.conversation.chat import Chat
from rag.embedders import Embedder, load_embedder
from rag.index import Index, store_at
from rag.llms import LLM, load_llm
from rag.stores import Store
from rag.stores.common.manifest import check_embedder, check_terms
from rag.types import Answer, Hit, Manifest, Where

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.language_models import BaseChatModel
    from langchain_core.vectorstores import VectorStore

    from ingest.report import IngestReport, Progress

__all__ = ["RAG"]


class RAG(Index):
    """Question answering over one index.

    Any number of threads may search and ask at once; one at a time may ingest. Models are loaded
    when they are first needed. Use it as a context manager, or call `close`.
    """

    def __init__(self, store: Store, embedder: Embedder, llm: LLM | str | None, settings: Settings) -> None:
        super().__init__(store, settings)
        self.embedder = embedder
        self._llm = llm
        self._loading = Lock()

    @classmethod
    def open(
        cls,
        index: str | Store | VectorStore | None = None,
        *,
        embedder: str | Embedder | Embeddings | None = None,
        llm: str | LLM | BaseChatModel | None = None,
        **settings: Any,
    ) -> Self:
        """Open the index at `index`: a store URL such as "faiss:data/index", a Store, a LangChain VectorStore.

        `embedder` and `llm` are names or instances, ours or LangChain's; what is not given comes from
        rag.toml and RAG_*, and an embedder named nowhere is the one that the index was made with, or the
        pipeline that its URL names.
        Raises EmbedderMismatch where the index was made with another embedder than the one named,
        IndexVersion where its words were cut by another version of ragstone, ConfigError, ModelError.
        An index that does not exist yet is made by the first `ingest`.
        """
        names = {"index": index, "embedder": embedder, "llm": llm}
        flags = {name: value for name, value in names.items() if isinstance(value, str)}
        chosen = load_settings({**flags, **settings})
        store = store_at(index, chosen)
        try:
            made = store.manifest()
            model = _embedder_for(store, chosen.embedder if embedder is None else embedder, made)
            if made is not None:
                check_embedder(made, model.id, model.weights, store.url)
                check_terms(made, store.url)
        except BaseException:
            if store is not index:
                store.close()
            raise
        if llm is not None and not isinstance(llm, str):
            from rag.llms.langchain import adopt as adopt_llm

            llm = adopt_llm(llm)
        return cls(store, model, chosen.llm if llm is None else llm, chosen)

    @property
    def answerer(self) -> Answerer:
        """What answers, with the language model loaded."""
        with self._loading:  # threads that ask at once wait for one model
            if isinstance(self._llm, str):
                self._llm = load_llm(self._llm, self.settings.answer_seconds)
            return Answerer(self.store, self.embedder, self._llm, self.settings)

    def ingest(
        self, *paths: str | Path, progress: Callable[[Progress], None] | None = None, **options: Any
    ) -> IngestReport:
        """Bring the index in step with these folders and files; what changed is read, the rest left alone.

        `options` are those of `ingest.pipeline.ingest`. Raises IndexLocked while another process ingests.
        """
        from ingest.pipeline import ingest

        return ingest(
            self.store, self.embedder, [Path(p) for p in paths], self.settings, progress=progress, **options
        )

    def search(self, question: str, k: int = 10, where: Where | None = None) -> list[Hit]:
        """The `k` chunks that answer `question` best, best first, scores in [0, 1]."""
        self.manifest()
        return Answerer(self.store, self.embedder, None, self.settings).search(question, k, where)

    def ask(self, question: str, where: Where | None = None) -> Answer:
        """The answer that the documents support, or a refusal."""
        return final_answer(self.stream(question, where))

    def stream(self, question: str, where: Where | None = None) -> Iterator[str | Answer]:
        """Pieces of the answer's text as they are found to be supported, then the `Answer`."""
        self.manifest()
        return self.answerer.stream(question, where)

    def chat(self, where: Where | None = None) -> Chat:
        """A new conversation: an object with `ask`, `stream` and `history`, every question filtered by `where`."""
        self.manifest()
        return Chat(self.answerer, where=where)

    def close(self) -> None:
        """Release the index and the language model."""
        if self._llm is not None and not isinstance(self._llm, str):
            self._llm.close()
        super().close()


def _embedder_for(store: Store, named: str | Embedder | Embeddings, made: Manifest | None) -> Embedder:
    """The embedder that is named or given, or the index's own. Raises ConfigError, ModelError."""
    from rag.embedders.in_store import pipeline_of

    if not isinstance(named, str):
        from rag.embedders.remote.langchain import adopt

        named = adopt(named)
    if (inside := pipeline_of(store, named)) is not None:
        return inside
    if isinstance(named, str):
        return load_embedder(named or (made.embedder if made else DEFAULT_EMBEDDER))
    return named
