"""OpenAI's protocol: chat completions, models and embeddings. A model's name is an index of ours.

Source: OpenAI's API reference (chat completions, `url_citation` annotations); Open WebUI's source events.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import numpy as np
from fastapi import APIRouter, Request

from rag.api import RAG
from rag.server.answers.asking import AnswerRequest
from rag.server.answers.turns import Ticket
from rag.server.events import BEAT, data_line, stream
from rag.server.failures import ERRORS, describe_error
from rag.server.indexes import MODEL
from rag.server.protocol import (
    ChatReply,
    ChatRequest,
    EmbeddingsReply,
    EmbeddingsRequest,
    ModelShape,
    ModelsReply,
    annotate,
    evidence,
    new_id,
    read_messages,
    source_event,
    usage_of,
)
from rag.server.service import Service, TheService, base_url
from rag.types import Answer

router = APIRouter(prefix="/v1", tags=["OpenAI's protocol"], responses=ERRORS)


@router.get("/models")
async def models(service: TheService) -> ModelsReply:
    """The indexes, as models."""
    return ModelsReply(data=[ModelShape(id=name) for name in service.indexes.models()])


@router.get("/models/{model:path}")
async def one_model(model: str, service: TheService) -> ModelShape:
    """One index, as a model."""
    await asyncio.to_thread(service.indexes.of_model, model)
    return ModelShape(id=model)


@router.post(
    "/chat/completions", response_model=ChatReply, responses={200: {"content": {"text/event-stream": {}}}}
)
async def chat(body: ChatRequest, request: Request, service: TheService) -> Any:
    """The answer to the last message, whole or as a stream; the messages before it are the conversation.

    Besides OpenAI's fields, the whole answer and the last chunk have `citations`, `refused`, `confidence`
    and `nearest`.
    """
    index, rag = await asyncio.to_thread(service.indexes.of_model, body.model)
    asked = read_messages(body.messages)
    await asyncio.to_thread(rag.manifest)
    ticket, base = service.answers.enter(), base_url(request)
    if body.stream:
        return stream(_chunks(service, rag, body, asked, ticket, base, index))
    reply = await service.whole(rag, asked, ticket)
    notes = annotate(reply, base, index)
    message = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": notes}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {
        **_head("chat.completion", body.model, new_id("chatcmpl")),
        "choices": [choice],
        "usage": usage_of(reply),
        **evidence(reply, base, index),
    }


def _head(kind: str, model: str, name: str) -> dict[str, Any]:
    return {"id": name, "object": kind, "created": int(time.time()), "model": model}


async def _chunks(
    service: Service, rag: RAG, body: ChatRequest, asked: AnswerRequest, ticket: Ticket, base: str, index: str
) -> AsyncGenerator[str]:
    head = _head("chat.completion.chunk", body.model, new_id("chatcmpl"))

    def chunk(delta: dict[str, Any], end: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return data_line({**head, "choices": [choice], **more})

    try:
        yield chunk({"role": "assistant", "content": ""})
        async with aclosing(service.answer(rag, asked, ticket)) as pieces:
            async for piece in pieces:
                match piece:
                    case int():
                        yield BEAT
                    case str():
                        yield chunk({"content": piece})
                    case Answer():
                        notes = {"annotations": annotate(piece, base, index)}
                        yield chunk(notes, "stop", **evidence(piece, base, index))
                        if body.events or service.options.open_webui:
                            for each in piece.citations:
                                yield data_line(source_event(each, base, index))
                        if body.stream_options and body.stream_options.include_usage:
                            yield data_line({**head, "choices": [], "usage": usage_of(piece)})
        yield "data: [DONE]\n\n"
    except Exception as error:  # noqa: BLE001 - the head of the response is gone: the client reads it in the stream
        yield data_line(describe_error(error)[1])


@router.post("/embeddings")
async def embeddings(body: EmbeddingsRequest, service: TheService) -> EmbeddingsReply:
    """Vectors of texts by the index's embedder, as documents or (`input_type` "query") as questions."""
    name = body.model if body.model.startswith(MODEL) else MODEL
    _, rag = await asyncio.to_thread(service.indexes.of_model, name)
    texts = [body.input] if isinstance(body.input, str) else body.input
    embed = rag.embedder.embed_queries if body.input_type == "query" else rag.embedder.embed_documents
    vectors = await asyncio.to_thread(embed, texts)
    tokens = sum(await asyncio.to_thread(rag.embedder.count_tokens, texts))
    data = [
        {"object": "embedding", "index": i, "embedding": _coded(row, body.encoding_format)}
        for i, row in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return EmbeddingsReply.model_validate({"data": data, "model": body.model, "usage": usage})


def _coded(row: np.ndarray[Any, Any], coding: str) -> list[float] | str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode() if coding == "base64" else row.tolist()
