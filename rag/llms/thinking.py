"""What a model thinks, set apart from what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.llms import Piece

__all__ = ["Thought", "ThoughtTags", "told_thought"]

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Thought(Piece):
    """A piece of what a model thinks before it answers; its `text` is empty: joined texts are the answer."""

    reasoning: str = ""


def told_thought(content: Any, extra: dict[str, Any]) -> str:
    """The thought in a message chunk, by the names that LangChain's classes give it; mostly ""."""
    if said := extra.get("reasoning_content"):
        return str(said)
    blocks = content if isinstance(content, list) else ()
    words = (b.get("thinking") or b.get("reasoning") or "" for b in blocks if isinstance(b, dict))
    return "".join(word for word in words if isinstance(word, str))


class ThoughtTags:
    """Takes `<think>…</think>` from the beginning of a stream, for servers that leave it in the answer."""

    def __init__(self) -> None:
        self._state, self._held = "begin", ""

    def feed(self, text: str) -> tuple[str, str]:
        """What is now known to be answer, and what to be thought."""
        if self._state == "gap":
            text = text.lstrip()  # between the thought and the answer
            self._state = "answer" if text else "gap"
        if self._state in ("gap", "answer"):
            return text, ""
        self._held += text
        if self._state == "begin":
            start = self._held.lstrip()
            if start.startswith(_OPEN):
                self._state, self._held = "thought", start.removeprefix(_OPEN)
            elif not _OPEN.startswith(start):
                return self._answer(self._held), ""
            else:
                return "", ""
        return self._think()

    def rest(self) -> tuple[str, str]:
        """What was held back when the stream ended."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "begin" else ("", held)

    def _answer(self, text: str) -> str:
        self._state, self._held = "answer", ""
        return text

    def _think(self) -> tuple[str, str]:
        thought, closed, after = self._held.partition(_CLOSE)
        if closed:
            answer = self._answer(after.lstrip())
            self._state = "answer" if answer else "gap"
            return answer, thought
        keep = next((n for n in range(len(_CLOSE) - 1, 0, -1) if thought.endswith(_CLOSE[:n])), 0)
        self._held = thought[len(thought) - keep :]
        return "", thought[: len(thought) - keep]
