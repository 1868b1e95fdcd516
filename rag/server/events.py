"""Server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel
from starlette.responses import StreamingResponse

BEAT = ": still here\n\n"
"""A comment that keeps the connection open, and shows whether the client is still there."""


def event(name: str, data: BaseModel | dict[str, Any]) -> str:
    """An event with a name, as `/api/ask` sends it."""
    return f"event: {name}\n{data_line(data)}"


def data_line(data: BaseModel | dict[str, Any]) -> str:
    """An event without a name, as OpenAI's protocol has it."""
    value = data.model_dump() if isinstance(data, BaseModel) else data
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def stream(lines: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(lines, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
