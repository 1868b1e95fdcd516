"""OpenAI's `/v1/responses`, without memory: a `file_search_call`, then the message with its annotations.

Source: OpenAI's API reference (responses, file search).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from rag.api import RAG
from rag.server.answers.asking import AnswerRequest
from rag.server.answers.turns import Ticket
from rag.server.events import BEAT, event, stream
from rag.server.failures import ERRORS, Failed, describe_error
from rag.server.protocol import ChatMessage, Loose, Part, Text, annotate, evidence, new_id, read_messages
from rag.server.service import Service, TheService, base_url
from rag.types import Answer

router = APIRouter(prefix="/v1", tags=["OpenAI's protocol"], responses=ERRORS)


class InputItem(BaseModel):
    """A message; items of other types (calls of an earlier response) are passed over."""

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: Text | list[Part] | None = None


class ResponsesRequest(BaseModel):
    model: Annotated[str, StringConstraints(max_length=100)]
    input: Text | Annotated[list[InputItem], Field(min_length=1, max_length=200)]
    stream: bool | None = False
    store: bool | None = False
    previous_response_id: str | None = None


class ResponsesReply(Loose):
    id: str
    object: Literal["response"]
    status: str
    output: list[dict[str, Any]]


@router.post("/responses", response_model=ResponsesReply, responses={200: {"content": {"text/event-stream": {}}}})
async def respond(body: ResponsesRequest, request: Request, service: TheService) -> Any:
    """The answer to the last message of the input, whole or as a stream. Nothing is stored."""
    if body.previous_response_id:
        raise Failed(400, "this server keeps no responses: send the conversation as input", "stateless")
    index, rag = await asyncio.to_thread(service.indexes.of_model, body.model)
    asked = read_messages(_messages(body.input))
    await asyncio.to_thread(rag.manifest)
    ticket, base, name = service.answers.enter(), base_url(request), new_id("resp")
    if body.stream:
        return stream(_events(service, rag, body, asked, ticket, base, index, name))
    return _response(name, body.model, await service.whole(rag, asked, ticket), base, index)


def _messages(given: str | list[InputItem]) -> list[ChatMessage]:
    if isinstance(given, str):
        return [ChatMessage(role="user", content=given)]
    found = [ChatMessage(role=item.role, content=item.content) for item in given if item.role]
    if not found:
        raise Failed(400, "the input has no message: give one of the role user", "bad_messages")
    return found


def _head(name: str, model: str, status: str) -> dict[str, Any]:
    return {
        "id": name, "object": "response", "created_at": int(time.time()), "status": status, "model": model,
        "output": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
        "parallel_tool_calls": False, "temperature": 0.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
    }  # fmt: skip


def _response(name: str, model: str, answer: Answer, base: str, index: str) -> dict[str, Any]:
    usage = {
        "input_tokens": answer.usage.prompt,
        "input_tokens_details": {"cached_tokens": answer.usage.cached},
        "output_tokens": answer.usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.usage.prompt + answer.usage.completion,
    }
    output = [_search(name, answer), _message(name, answer, base, index)]
    return _head(name, model, "completed") | {"output": output, "usage": usage} | evidence(answer, base, index)


def _search(name: str, answer: Answer) -> dict[str, Any]:
    results = [
        {
            "file_id": hit.chunk.source,
            "filename": hit.chunk.source,
            "score": round(hit.score, 4),
            "text": hit.chunk.text,
            "attributes": {},
        }
        for hit in answer.hits
    ]
    return {
        "id": name.replace("resp", "fs"), "type": "file_search_call", "status": "completed",
        "queries": [answer.asked or answer.question], "results": results,
    }  # fmt: skip


def _message(name: str, answer: Answer, base: str, index: str) -> dict[str, Any]:
    notes = [{"type": "url_citation", **note["url_citation"]} for note in annotate(answer, base, index)]
    content = {"type": "output_text", "text": answer.text, "annotations": notes, "logprobs": []}
    return {
        "id": name.replace("resp", "msg"), "type": "message", "role": "assistant", "status": "completed",
        "content": [content],
    }  # fmt: skip


async def _events(
    service: Service,
    rag: RAG,
    body: ResponsesRequest,
    asked: AnswerRequest,
    ticket: Ticket,
    base: str,
    index: str,
    name: str,
) -> AsyncGenerator[str]:
    count = 0

    def numbered_event(kind: str, **more: Any) -> str:
        nonlocal count
        count += 1
        return event(kind, {"type": kind, "sequence_number": count - 1, **more})

    item = {"item_id": name.replace("resp", "msg"), "output_index": 1, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    try:
        yield numbered_event("response.created", response=_head(name, body.model, "in_progress"))
        yield numbered_event("response.in_progress", response=_head(name, body.model, "in_progress"))
        begun = False
        async with aclosing(service.answer(rag, asked, ticket)) as pieces:
            async for piece in pieces:
                match piece:
                    case int():
                        yield BEAT
                    case str():
                        if not begun:
                            begun = True
                            search = {"id": name.replace("resp", "fs"), "type": "file_search_call", "queries": []}
                            yield numbered_event(
                                "response.output_item.added",
                                output_index=0,
                                item={**search, "status": "searching"},
                            )
                            message = {
                                "id": item["item_id"],
                                "type": "message",
                                "role": "assistant",
                                "content": [],
                            }
                            yield numbered_event(
                                "response.output_item.added",
                                output_index=1,
                                item={**message, "status": "in_progress"},
                            )
                            yield numbered_event("response.content_part.added", **item, part=empty)
                        yield numbered_event("response.output_text.delta", **item, delta=piece, logprobs=[])
                    case Answer():
                        for line in _end(numbered_event, item, _response(name, body.model, piece, base, index)):
                            yield line
    except Exception as error:  # noqa: BLE001 - the head of the response is gone: the client reads it in the stream
        failed = describe_error(error)[1]["error"]
        yield numbered_event("error", message=failed["message"], code=failed["code"], param=None)


def _end(numbered_event: Any, item: dict[str, Any], response: dict[str, Any]) -> list[str]:
    """The events that close a response."""
    search, message = response["output"]
    part = message["content"][0]
    notes = [
        numbered_event("response.output_text.annotation.added", **item, annotation_index=i, annotation=note)
        for i, note in enumerate(part["annotations"])
    ]
    return [
        numbered_event("response.output_item.done", output_index=0, item=search),
        *notes,
        numbered_event("response.output_text.done", **item, text=part["text"], logprobs=[]),
        numbered_event("response.content_part.done", **item, part=part),
        numbered_event("response.output_item.done", output_index=1, item=message),
        numbered_event("response.completed", response=response),
    ]
