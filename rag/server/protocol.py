"""OpenAI's shapes, as far as clients need them: what else they send is let pass and has no effect."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rag.answering.answerer import validate_question
from rag.server.answers.asking import AnswerRequest
from rag.server.failures import Failed
from rag.server.shapes import Place, citation_place, nearest, place_url, title_of
from rag.types import Answer, Citation

Text = Annotated[str, StringConstraints(max_length=200_000)]


class Part(BaseModel):
    """A piece of a message; pictures and files cannot be asked about."""

    type: str
    text: Text = ""


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None

    def words(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """`temperature`, `max_tokens` and the like have no effect: an answer says what the documents say."""

    model: Annotated[str, StringConstraints(max_length=100)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, Field(ge=1, le=1)] = 1
    events: bool = Field(False, description="Send Open WebUI's source events too.")


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


class ChatReply(Loose):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, Any]
    citations: list[Place]
    refused: bool
    confidence: float | None
    nearest: list[Place]


class ModelShape(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "ragstone"


class ModelsReply(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelShape]


class EmbeddingsRequest(BaseModel):
    """Text alone: lists of token numbers belong to other models."""

    model: Annotated[str, StringConstraints(max_length=100)] = "ragstone"
    input: (
        Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
        | Annotated[
            list[Annotated[str, StringConstraints(min_length=1, max_length=100_000)]],
            Field(min_length=1, max_length=512),
        ]
    )
    encoding_format: Literal["float", "base64"] = "float"
    input_type: Literal["document", "query"] = "document"


class EmbeddingShape(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsReply(BaseModel):
    object: Literal["list"] = "list"
    data: list[EmbeddingShape]
    model: str
    usage: dict[str, int]


def new_id(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(12)}"


def read_messages(messages: Sequence[ChatMessage]) -> AnswerRequest:
    """The question in the last message, and the turns before it. Raises Failed (400), QuestionError."""
    *before, last = messages
    if last.role != "user":
        raise Failed(400, f"the last message must be the user's question, not the {last.role}'s", "bad_messages")
    return AnswerRequest(validate_question(last.words()), tuple(_turns(before)))


def _turns(messages: Sequence[ChatMessage]) -> list[tuple[str, str]]:
    """Questions with their answers, in order; what a system message says is no turn."""
    found: list[tuple[str, str]] = []
    for message in messages:
        words = message.words().strip()
        if message.role == "user" and words:
            found.append((words[:4000], ""))
        elif message.role == "assistant" and found:
            found[-1] = (found[-1][0], words)
    return [(question, answer) for question, answer in found if answer]


_CITED = re.compile(r"\[(\d+)\]")


def annotate(answer: Answer, base: str, index: str) -> list[dict[str, Any]]:
    """A `url_citation` for each [n] in the text: its address is our page, at that place."""
    cited = {citation.n: citation for citation in answer.citations}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": mark.start(),
                "end_index": mark.end(),
                "title": title_of(cited[int(mark[1])]),
                "url": place_url(base, index, cited[int(mark[1])]),
            },
        }
        for mark in _CITED.finditer(answer.text)
        if int(mark[1]) in cited
    ]


def evidence(answer: Answer, base: str, index: str) -> dict[str, Any]:
    """What ragstone says besides: citations, whether it refused, how sure it is, what comes nearest."""
    return {
        "citations": [citation_place(each, answer.hits, base, index).model_dump() for each in answer.citations],
        "refused": answer.refused,
        "confidence": answer.confidence,
        "nearest": [place.model_dump() for place in nearest(answer, base, index)],
    }


def usage_of(answer: Answer) -> dict[str, Any]:
    read, written = answer.usage.prompt, answer.usage.completion
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": answer.usage.cached},
    }


def source_event(citation: Citation, base: str, index: str) -> dict[str, Any]:
    """The line that Open WebUI shows as a source: each passage is one of its own."""
    url = place_url(base, index, citation)
    page = f" · {citation.page}" if citation.page is not None else ""
    name = f"{title_of(citation)}{page}"
    metadata = {"source": url, "name": name, "url": url, "file": citation.source}
    data = {"source": {"id": url, "name": name, "url": url}, "document": [citation.quote], "metadata": [metadata]}
    return {"event": {"type": "source", "data": data}}
