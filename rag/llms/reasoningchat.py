"""LangChain's OpenAI class with the field `reasoning_content`, which DeepSeek, DashScope and vLLM send."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI


class ReasoningChat(ChatOpenAI):
    """`ChatOpenAI` with the `reasoning_content` of a streamed answer kept in `additional_kwargs`."""

    def _convert_chunk_to_generation_chunk(
        self, chunk: dict[str, Any], default_chunk_class: type, base_generation_info: dict[str, Any] | None
    ) -> ChatGenerationChunk | None:
        made = super()._convert_chunk_to_generation_chunk(chunk, default_chunk_class, base_generation_info)
        choice = next(iter(chunk.get("choices") or ()), None) or {}
        thought = (choice.get("delta") or {}).get("reasoning_content")
        if made is not None and thought and isinstance(made.message, AIMessageChunk):
            made.message.additional_kwargs["reasoning_content"] = thought
        return made
