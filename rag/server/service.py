"""What the routes share: the indexes, whose turn it is, the jobs, the reading of documents."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from rag.api import RAG
from rag.server.answers import asking, writing
from rag.server.answers.asking import AnswerRequest, Found
from rag.server.answers.turns import Ticket, Turns
from rag.server.documents.reading import Documents
from rag.server.failures import Failed
from rag.server.indexes import Indexes
from rag.server.intake.jobs import Jobs
from rag.server.intake.uploads import Uploads
from rag.server.options import Options
from rag.types import Answer, Hit

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds after which one who waits hears of it again."""


@dataclass
class Service:
    """Everything that lives as long as the server."""

    indexes: Indexes
    options: Options
    uploads: Uploads
    jobs: Jobs
    documents: Documents
    answers: Turns = field(init=False)
    searches: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.answers = Turns(self.options.answers, self.options.waiting)
        self.searches = Turns(self.options.searches, 200, 1)

    def close(self) -> None:
        self.jobs.close()
        self.documents.close()
        self.indexes.close()

    def may_read(self, index: str, path: str) -> bool:
        """Whether a file of this machine may be read again: an upload, or below a root."""
        real = Path(os.path.realpath(path))
        folders = (*self.options.roots, self.uploads.root(index))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)

    async def search(self, work: Callable[[], list[Hit]]) -> list[Hit]:
        """What `work` finds, in a thread; some at once. Raises Failed (429) where too many wait."""
        ticket = self.searches.enter()
        try:
            while not await ticket.begins(PATIENCE):
                pass
            return await asyncio.to_thread(work)
        finally:
            ticket.leave()

    async def answer(
        self, rag: RAG, asked: AnswerRequest, ticket: Ticket
    ) -> AsyncGenerator[Found | str | Answer | int]:
        """What was found and the answer as it is written; before that, each second, the place in the queue.

        Closing this stops the model; the next in the queue begins when it has stopped.
        """
        if self.options.log_questions:
            log.warning("asked: %s", asked.question)
        handed = False
        try:
            while not await ticket.begins(PATIENCE):
                yield ticket.place
            handed = True
            write = partial(asking.answer, rag, lambda: self.indexes.llm, asked)
            async with aclosing(writing.read_from_thread(write, ticket.leave)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            if not handed:
                ticket.leave()

    async def whole(self, rag: RAG, asked: AnswerRequest, ticket: Ticket) -> Answer:
        """The answer when all of it is there. Raises Failed."""
        async with aclosing(self.answer(rag, asked, ticket)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise Failed(503, "the answer was stopped", "stopped")


async def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(service_of)]


def base_url(request: Request) -> str:
    """The address under which the client reached our page."""
    return f"{request.url.scheme}://{request.headers.get('host', '')}/"
