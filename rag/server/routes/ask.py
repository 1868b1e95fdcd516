"""`/api/ask` and `/api/search`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from rag.answering.answerer import validate_question
from rag.api import RAG
from rag.server.answers.asking import AnswerRequest, Found, create_finder, suggest_headings
from rag.server.answers.turns import Ticket
from rag.server.events import BEAT, event, stream
from rag.server.failures import ERRORS, describe_error
from rag.server.service import Service, TheService, base_url
from rag.server.shapes import AskRequest, SearchReply, SearchRequest, answer_shape, citation_place, hit_place
from rag.types import Answer, Hit

router = APIRouter(prefix="/api", tags=["questions"], responses=ERRORS)


@router.post("/search")
async def search(body: SearchRequest, request: Request, service: TheService) -> SearchReply:
    """The passages that fit a question best; no language model is asked."""
    rag, began = await asyncio.to_thread(service.indexes.get, body.index), time.perf_counter()
    asked = AnswerRequest(body.question, sources=tuple(body.sources))
    hits = await service.search(lambda: create_finder(rag, asked).search(asked.question, body.k))
    base, name = base_url(request), body.index or service.indexes.first
    return SearchReply(hits=[hit_place(hit, base, name) for hit in hits], seconds=time.perf_counter() - began)


@router.post("/ask", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def ask(body: AskRequest, request: Request, service: TheService) -> StreamingResponse:
    """An answer as server-sent events.

    `queued` {place}, `found` {hits}, `reading` {model}, `text` {text}, `citation` {…}, then `done` with the whole
    answer; or `error` {error}. Closing the connection stops the answer.
    """
    rag = await asyncio.to_thread(service.indexes.get, body.index)
    validate_question(body.question)
    await asyncio.to_thread(rag.manifest)
    history = tuple((turn.question, turn.answer) for turn in body.history)
    asked = AnswerRequest(body.question, history, tuple(body.sources), body.strictness, body.quote)
    ticket = service.answers.enter()
    return stream(_events(service, rag, asked, ticket, base_url(request), body.index or service.indexes.first))


async def _events(
    service: Service, rag: RAG, asked: AnswerRequest, ticket: Ticket, base: str, index: str
) -> AsyncGenerator[str]:
    try:
        async with aclosing(service.answer(rag, asked, ticket)) as pieces:
            async for piece in pieces:
                match piece:
                    case int():
                        yield event("queued", {"place": piece}) if piece else BEAT
                    case Found(hits):
                        yield event("found", {"hits": _places(hits, base, index)})
                        yield event("reading", {"model": "none" if asked.quote else service.indexes.llm_name})
                    case str():
                        yield event("text", {"text": piece})
                    case Answer():
                        for each in piece.citations:
                            yield event("citation", citation_place(each, piece.hits, base, index))
                        yield event("done", answer_shape(piece, suggest_headings(piece), base, index))
    except Exception as error:  # noqa: BLE001 - the head of the response is gone: the client hears it as an event
        yield event("error", describe_error(error)[1])


def _places(hits: tuple[Hit, ...], base: str, index: str) -> list[dict[str, object]]:
    return [hit_place(hit, base, index).model_dump() for hit in hits]
