"""An answer written in a thread of its own, read by the event loop, and stopped when nobody reads it any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rag.llms import LLM, Piece
from rag.types import Message

Item = TypeVar("Item")


class Stopped(Exception):
    """The client went away, or asked to stop."""


@dataclass(frozen=True, slots=True)
class StoppableLLM:
    """A language model that writes until `stop` is set."""

    llm: LLM
    stop: threading.Event

    @property
    def id(self) -> str:
        return self.llm.id

    @property
    def context_tokens(self) -> int:
        return self.llm.context_tokens

    def count_tokens(self, text: str) -> int:
        return self.llm.count_tokens(text)

    def stream(
        self, messages: Sequence[Message], *, max_tokens: int, grammar: str | None = None
    ) -> Iterator[Piece]:
        """As the model's own; raises Stopped."""
        pieces = self.llm.stream(messages, max_tokens=max_tokens, grammar=grammar)
        for piece in pieces:
            if self.stop.is_set():
                raise Stopped
            yield piece

    def close(self) -> None:
        """Nothing: it belongs to whoever loaded it."""


async def read_from_thread(
    write: Callable[[threading.Event], Iterator[Item]], over: Callable[[], None] | None = None
) -> AsyncGenerator[Item]:
    """What `write` yields in its own thread; closing this sets its event. `over` is called at its end."""
    loop, stop = asyncio.get_running_loop(), threading.Event()
    items: asyncio.Queue[Item | BaseException | None] = asyncio.Queue()

    def tell(item: Item | BaseException | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(items.put_nowait, item)

    def work() -> None:
        try:
            for item in write(stop):
                if stop.is_set():
                    break
                tell(item)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where it is read
            tell(error)
        finally:
            tell(None)
            if over and not loop.is_closed():
                loop.call_soon_threadsafe(over)

    threading.Thread(target=work, name="rag-answer", daemon=True).start()
    try:
        while (item := await items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
