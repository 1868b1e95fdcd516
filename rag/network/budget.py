"""The seconds and bytes that a call over a network may take, its retries together.

A client's own timeout is that of one wait: a server that sends a byte a second never runs into it. So a budget
is kept where bytes are read from the connection, whatever the client does with them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Budget", "keep_budgets"]

T = TypeVar("T")
_AT_ONCE = 16_384  # bytes that are sent before the time is looked at again


class Budget:
    """What one call may still take. `in_use` makes it that of this thread's connections."""

    def __init__(self, seconds: float, size: int) -> None:
        self.seconds, self.size = seconds, size
        self._ends, self._left, self._ended = time.monotonic() + seconds, size, ""

    @property
    def left(self) -> float:
        """Seconds that are left; 0 as well where the call was ended for another reason."""
        return 0.0 if self._ended else max(self._ends - time.monotonic(), 0.0)

    @property
    def spent(self) -> str:
        """Why the call is over, as the end of "the server …"; "" while it is not."""
        return self._ended or ("" if self.left else f"did not end its answer within {self.seconds:g} s")

    def take(self, size: int) -> None:
        """Count bytes that were read. Raises ConnectionError for more than are left."""
        self._left -= size
        if self._left < 0:
            self.end(f"sent more than {self.size / 1e6:,.0f} MB for one answer")

    def end(self, reason: str) -> None:
        """Let the call go no further. Raises ConnectionError."""
        self._ended = reason
        raise ConnectionError(reason)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is open, connections of this thread that keep budgets keep this one."""
        before, _here.budget = getattr(_here, "budget", None), self
        try:
            yield
        finally:
            _here.budget = before

    def over(self, pieces: Iterable[T]) -> Iterator[T]:
        """`pieces`, each of them fetched within the budget. Raises TimeoutError where it is spent."""
        each = iter(pieces)
        while True:
            with self.in_use():
                try:
                    piece = next(each)
                except StopIteration:
                    return
            if self.spent:
                raise TimeoutError(self.spent)
            yield piece


_here = threading.local()


def _in_use() -> Budget | None:
    found: Budget | None = getattr(_here, "budget", None)
    return found


def keep_budgets(made: object) -> None:
    """Have the HTTP client inside `made`, a client of a service, keep the budget that is in use.

    It no longer asks for compressed answers, whose few bytes may become any number, and takes none.
    """
    client = _client_in(made)
    if client is None:
        return
    client.headers["Accept-Encoding"] = "identity"
    client.event_hooks["response"].append(_refuse_compressed)
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)


def _client_in(made: object, depth: int = 3) -> Any:
    """The client of httpx, or of httpx2, in a service's own: the attribute has one of a few names. None: none."""
    if hasattr(made, "event_hooks") and hasattr(made, "_transport"):
        return made
    inner = (getattr(made, name, None) for name in ("root_client", "_client", "client")) if depth else ()
    return next((found for each in inner if each is not None and (found := _client_in(each, depth - 1))), None)


def _refuse_compressed(response: Any) -> None:
    budget, coding = _in_use(), response.headers.get("Content-Encoding", "identity")
    if budget is not None and coding != "identity":
        budget.end(f"sent a compressed answer ({coding[:20]}), which it was asked not to do")


def _wait(timeout: float | None) -> float | None:
    """The longest wait now: the client's own, or what is left of the budget in use."""
    budget = _in_use()
    if budget is None:
        return timeout
    if budget.spent:
        raise TimeoutError(budget.spent)
    return budget.left if timeout is None else min(timeout, budget.left)


class _Backend:
    """What opens connections for httpcore's pool, `inner`, with a budget kept."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _Stream:
        return _Stream(self._inner.connect_tcp(host, port, timeout=_wait(timeout), **options))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Stream:
    """A connection, `inner`, with a budget kept."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data: bytes = self._inner.read(max_bytes, timeout=_wait(timeout))
        if (budget := _in_use()) is not None:
            budget.take(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), _AT_ONCE):
            self._inner.write(buffer[at : at + _AT_ONCE], timeout=_wait(timeout))

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Stream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout=_wait(timeout)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
