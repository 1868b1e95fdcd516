"""Whose turn it is: a few at a time are served, a few more wait and know their place, the rest come back later."""

from __future__ import annotations

import asyncio
from collections import deque

from rag.server.failures import Failed


class Turns:
    """A queue in the event loop. `enter` gives a ticket or raises Failed (429)."""

    def __init__(self, at_once: int, waiting: int, seconds: int = 10) -> None:
        """`seconds` is how long one usually takes: what a client is told to wait."""
        self._at_once, self._free = at_once, at_once
        self._most, self._seconds = waiting, seconds
        self.waiting: deque[Ticket] = deque()

    @property
    def serving(self) -> int:
        return self._at_once - self._free

    def enter(self) -> Ticket:
        ticket = Ticket(self)
        if self._free:
            self._free -= 1
            ticket.begin()
        elif len(self.waiting) < self._most:
            self.waiting.append(ticket)
        else:
            wait = str(self._seconds * (len(self.waiting) + 1))
            raise Failed(
                429,
                f"{len(self.waiting)} others are waiting: ask again in {wait} s",
                "busy",
                {"Retry-After": wait},
            )
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Let the next one begin, where `ticket` had begun."""
        if ticket in self.waiting:
            self.waiting.remove(ticket)
        elif self.waiting:
            self.waiting.popleft().begin()
        else:
            self._free += 1


class Ticket:
    """A place in the queue, given back by `leave`, once."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._begun, self._left = turns, asyncio.Event(), False

    @property
    def place(self) -> int:
        """How many are before it, this one counted: 0 when it is served."""
        waiting = self._turns.waiting
        return waiting.index(self) + 1 if self in waiting else 0

    def begin(self) -> None:
        self._begun.set()

    async def begins(self, within: float) -> bool:
        """Whether its turn comes `within` so many seconds."""
        try:
            await asyncio.wait_for(self._begun.wait(), within)
        except TimeoutError:
            return False
        return True

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._turns.leave(self)
