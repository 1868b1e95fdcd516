"""A model's thinking, separated from its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rag.llms import Piece

__all__ = ["Thought", "ThoughtTags", "find_thought"]

_OPEN, _CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Thought(Piece):
    """A piece of a model's thinking; its `text` is empty, so that the joined texts are the answer alone."""

    reasoning: str = ""


def find_thought(content: Any, extra: dict[str, Any]) -> str:
    """The thinking in a message chunk, in any of the fields that LangChain's classes use; "" if there is none."""
    if said := extra.get("reasoning_content"):
        return str(said)
    blocks = content if isinstance(content, list) else ()
    words = (b.get("thinking") or b.get("reasoning") or "" for b in blocks if isinstance(b, dict))
    return "".join(word for word in words if isinstance(word, str))


class ThoughtTags:
    """Separates `<think>…</think>` at the beginning of a stream, for servers that leave it in the answer."""

    def __init__(self) -> None:
        self._state, self._held = "begin", ""

    def feed(self, text: str) -> tuple[str, str]:
        """The text that is now known to be answer, and the text known to be thinking."""
        if self._state == "gap":
            text = text.lstrip()  # blank lines between thinking and answer
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
        """The text that was held back when the stream ended."""
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
