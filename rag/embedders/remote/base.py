"""An embedder over a network, through its LangChain class: batches, limits, retries."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from threading import Event, Lock
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import EmbedderError, RagError
from rag.network.budget import Budget
from rag.network.endpoint import Endpoint
from rag.network.failures import failure, sentence
from rag.network.retry import RetryPolicy, retry
from rag.network.tokens import count, cut, encoding_for
from rag.text.sanitise import well_formed
from rag.types import Vectors

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from tiktoken import Encoding

__all__ = ["Limits", "RemoteEmbedder", "RequestFailed"]

log = logging.getLogger(__name__)

_NOTHING = "."  # sent in place of a blank text, which most servers refuse
_SHOWN = 40  # characters of a text that an error shows
_SECONDS, _QUERY_SECONDS = 600.0, 120.0  # for a request, its retries together
_BYTES, _BYTES_A_TEXT = 1_000_000, 250_000  # that a server may send: 8,192 dimensions are 200,000
_SHORTEST = 16  # a text of fewer tokens is not cut again


@dataclass(frozen=True, slots=True)
class Limits:
    """The most tokens of a text, texts of a request, tokens of a request, and requests at the same time."""

    tokens: int
    texts: int
    request_tokens: int = 300_000
    parallel: int = 1


class RequestFailed(EmbedderError):
    """A request that failed after all retries; `texts` are those that it should embed."""

    def __init__(self, message: str, texts: Sequence[str]) -> None:
        super().__init__(message)
        self.texts = tuple(texts)


class RemoteEmbedder:
    """Batches texts for a LangChain `Embeddings`, which `connect` makes at first use.

    `identity` is what the model is, apart from its name: `weights` is its sha256. `dim` None: the engine
    is asked once. Tokens are counted by tiktoken's `encoding`; a text above the limit is cut there, which
    is said once. `queries_apart`: queries go through `embed_query`, since the model treats them otherwise.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        connect: Callable[[], Embeddings],
        limits: Limits,
        *,
        identity: Callable[[], str],
        dim: int | None = None,
        encoding: str = "cl100k_base",
        queries_apart: bool = False,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.id = endpoint.name
        self.limits = limits
        self._endpoint, self._connect, self._identity = endpoint, connect, identity
        self._dim, self._encoding_name = dim, encoding
        self._apart, self._policy = queries_apart, policy or RetryPolicy()
        self._lock, self._warned = Lock(), False

    def __repr__(self) -> str:
        return f"RemoteEmbedder({self.id!r}, address={self._endpoint.address!r})"

    @cached_property
    def weights(self) -> str:
        return sha256(self._identity().encode()).hexdigest()

    @property
    def dim(self) -> int:
        return self._dim or self._request(["dimension"], Event()).shape[1]

    @property
    def max_tokens(self) -> int:
        return self.limits.tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Counted by tiktoken: exact for OpenAI's models, approximate for others."""
        return [count(self._encoding, text) for text in map(well_formed, texts)]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Raises RequestFailed, an EmbedderError, when a request fails for good."""
        parts = list(self.embed_batches(texts))
        vectors = np.empty((len(texts), self.dim), np.float32)
        for rows, part in parts:
            vectors[rows] = part
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        if not self._apart:
            return self.embed_documents(texts)
        ready = [self._ready(text)[0] for text in texts]
        rows = [self._checked(self._try([text], Event(), query=True), 1) for text in ready]
        return np.vstack(rows) if rows else np.empty((0, self.dim), np.float32)

    def embed_batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Vectors]]:
        """Rows of `texts` and their vectors as the requests are answered.

        After a request that failed for good no other is begun; what is under way is still handed out,
        before RequestFailed is raised.
        """
        places: dict[str, list[int]] = {}
        sizes: dict[str, int] = {}
        for row, text in enumerate(texts):
            ready, tokens = self._ready(text)
            places.setdefault(ready, []).append(row)
            sizes[ready] = tokens
        for batch, vectors in self._answers(_plan(sizes, self.limits)):
            at = [i for i, text in enumerate(batch) for _ in places[text]]
            yield [row for text in batch for row in places[text]], vectors[at]

    def calls(self, texts: Sequence[str]) -> int:
        """How many requests `embed_documents` makes for `texts`; nothing is sent."""
        return sum(1 for _ in _plan(dict(map(self._ready, texts)), self.limits))

    def _answers(self, plan: Iterator[list[str]]) -> Iterator[tuple[list[str], Vectors]]:
        """Each batch with its vectors, some requests at a time, in order."""
        stop, waiting = Event(), deque[tuple[list[str], Future[Vectors]]]()
        failed: Exception | None = None
        pool = ThreadPoolExecutor(self.limits.parallel, thread_name_prefix="embedder")
        try:
            while True:
                while failed is None and len(waiting) < 2 * self.limits.parallel and (batch := next(plan, None)):
                    waiting.append((batch, pool.submit(self._request, batch, stop)))
                if not waiting:
                    break
                batch, future = waiting.popleft()
                try:
                    vectors = future.result()
                except EmbedderError as exc:
                    failed = failed or exc
                    stop.set()
                    waiting = deque(one for one in waiting if not one[1].cancel())
                    continue
                yield batch, vectors
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if failed:
            raise failed

    def _request(self, texts: list[str], stop: Event) -> Vectors:
        """The vectors of one batch; a server that finds it too long gets it in smaller pieces."""
        try:
            return self._checked(self._try(texts, stop), len(texts))
        except RequestFailed as exc:
            if exc.__cause__ is None or failure(exc.__cause__).kind != "length":
                raise
            if len(texts) > 1:
                half = len(texts) // 2
                return np.vstack([self._request(texts[:half], stop), self._request(texts[half:], stop)])
            tokens = count(self._encoding, texts[0])
            if tokens <= _SHORTEST:
                raise
            self._say_cut()
            return self._request([cut(self._encoding, texts[0], tokens * 3 // 4)[0]], stop)

    def _try(self, texts: list[str], stop: Event, query: bool = False) -> list[list[float]]:
        budget = Budget(_QUERY_SECONDS if query else _SECONDS, _BYTES + len(texts) * _BYTES_A_TEXT)
        try:
            engine = self._engine
            call = (lambda: [engine.embed_query(texts[0])]) if query else (lambda: engine.embed_documents(texts))
            return retry(call, self._policy, stop, budget)
        except RagError:
            raise
        except Exception as exc:
            begins = self._endpoint.hide(" ".join(texts[0][: 2 * _SHOWN].split())[:_SHOWN])
            several = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
            said = sentence(self._endpoint, failure(exc), budget.spent)
            raise RequestFailed(f"{said} (embedding “{begins}”{several})", texts) from exc

    def _checked(self, numbers: list[list[float]], rows: int) -> Vectors:
        """Unit rows; raises EmbedderError for an answer that is not `rows` vectors of the model's dimension."""
        try:
            vectors = np.asarray(numbers, np.float32)
        except (TypeError, ValueError):
            vectors = np.empty((0, 0), np.float32)
        if vectors.ndim != 2 or vectors.shape != (rows, self._dim or vectors.shape[1]) or not vectors.size:
            raise EmbedderError(
                f"{self.id} answered {rows} texts with an array of shape {vectors.shape}, and ({rows}, "
                f"{self._dim or 'dimensions'}) is right: is it an embedding model, with these dimensions?"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise EmbedderError(f"{self.id} answered with a vector of no length: it is no working embedding model")
        self._dim = vectors.shape[1]
        return np.asarray(vectors / lengths, np.float32)

    def _ready(self, text: str) -> tuple[str, int]:
        """`text` as it is sent, and its tokens."""
        text = well_formed(text)
        if not text.strip():
            text = _NOTHING
        head, tokens = cut(self._encoding, text, self.limits.tokens)
        if len(head) < len(text):
            self._say_cut()
        return head, tokens

    def _say_cut(self) -> None:
        with self._lock:
            said, self._warned = self._warned, True
        if not said:
            log.warning("%s: a text is longer than the model's window and is cut there (said once)", self.id)

    @cached_property
    def _engine(self) -> Embeddings:
        return self._connect()

    @cached_property
    def _encoding(self) -> Encoding:
        return encoding_for(self._encoding_name, self._encoding_name)


def _plan(sizes: dict[str, int], limits: Limits) -> Iterator[list[str]]:
    """Texts in order, as many a request as its limits allow."""
    batch: list[str] = []
    tokens = 0
    for text, size in sizes.items():
        if batch and (len(batch) >= limits.texts or tokens + size > limits.request_tokens):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += size
    if batch:
        yield batch
