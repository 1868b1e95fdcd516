"""A request tried again while there is hope: exponential back-off with jitter, bounded, Retry-After kept."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from rag.network.failures import PASSING, Failure, failure

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """`tries` of a request in all (`connections` of them where nobody answers), seconds between them.

    Waiting begins at `first` and doubles up to `longest`; a server that asks for more than `longest`
    is not waited for. A lost or refused connection is rarely cured by waiting.
    """

    tries: int = 6
    connections: int = 3
    first: float = 0.5
    longest: float = 60.0

    def wait(self, tried: int, found: Failure) -> float | None:
        """Seconds until the next try after `tried` ones, None where there is to be none."""
        lost = found.kind in ("unreachable", "timeout")
        if found.kind not in PASSING or tried >= (self.connections if lost else self.tries):
            return None
        if found.retry_after is not None:
            # Never earlier than asked, and not all clients at the same moment.
            asked = found.retry_after + random.uniform(0, self.first)  # noqa: S311
            return asked if found.retry_after <= self.longest else None
        return min(self.longest, self.first * 2.0 ** (tried - 1)) * random.uniform(0.5, 1)  # noqa: S311


def persist(call: Callable[[], T], patience: Patience, stop: Event) -> T:
    """What `call` returns at last; its exception where `patience` ends or `stop` is set."""
    tried = 0
    while True:
        try:
            return call()
        except Exception as exc:
            tried += 1
            found = failure(exc)
            wait = patience.wait(tried, found)
            if wait is None:
                raise
            log.info("try %d failed (%s, status %s): again in %.1f s", tried, found.kind, found.status, wait)
            if stop.wait(wait):
                raise
