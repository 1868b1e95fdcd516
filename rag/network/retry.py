"""Retries: exponential back-off with jitter, a limit on tries, and Retry-After obeyed."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from rag.network.budget import Budget
from rag.network.failures import PASSING, Failure, failure

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is tried: `tries` times in all, `connections` times if no server answers.

    The wait begins at `first` seconds and doubles up to `longest`. A server that asks for a longer wait than
    `longest` is not tried again. A lost or refused connection is rarely cured by waiting.
    """

    tries: int = 6
    connections: int = 3
    first: float = 0.5
    longest: float = 60.0

    def wait(self, tried: int, found: Failure) -> float | None:
        """Seconds to wait after `tried` tries, None if there should be no further try."""
        lost = found.kind in ("unreachable", "timeout")
        if found.kind not in PASSING or tried >= (self.connections if lost else self.tries):
            return None
        if found.retry_after is not None:
            # Not before the time asked for, and not all clients at the same moment.
            asked = found.retry_after + random.uniform(0, self.first)  # noqa: S311
            return asked if found.retry_after <= self.longest else None
        return min(self.longest, self.first * 2.0 ** (tried - 1)) * random.uniform(0.5, 1)  # noqa: S311


def retry(call: Callable[[], T], policy: RetryPolicy, stop: Event, budget: Budget) -> T:
    """The result of `call`, tried as `policy` says and while `budget` lasts.

    Raises its last exception, also when `stop` is set.
    """
    tried = 0
    while True:
        try:
            with budget.in_use():
                return call()
        except Exception as exc:
            tried += 1
            found = failure(exc)
            wait = policy.wait(tried, found)
            if wait is None or wait >= budget.left:
                raise
            log.info("try %d failed (%s, status %s): again in %.1f s", tried, found.kind, found.status, wait)
            if stop.wait(wait):
                raise
