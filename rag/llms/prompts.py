"""Prompts: files in `prompts/`, filled with values, as messages for a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from rag.errors import ConfigError
from rag.llms import LLM
from rag.types import Message

# Inside the package in a wheel, beside the folder `rag` in a checkout.
_FOLDERS = (Path(__file__).parents[1] / "prompts", Path(__file__).parents[2] / "prompts")
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")


def render(name: str, **values: str) -> str:
    """The prompt ``prompts/<name>.md`` with `values` in place of its variables.

    Raises ConfigError for a variable without a value, or a value without a variable. Values are
    put in as they are: what looks like a variable inside them stays text.
    """
    template = _template(name)
    wanted = set(_VARIABLE.findall(template))
    if wanted != set(values):
        raise ConfigError(f"prompt {name} takes {sorted(wanted)}, not {sorted(values)}")
    return _VARIABLE.sub(lambda match: values[match.group(1)], template).strip()


def turns(name: str, **values: str) -> list[Message]:
    """The prompt ``prompts/<name>.md`` as a conversation: a paragraph a message, the first by the system.

    After it come examples, a question and its answer each, and the question itself. A value is one paragraph.
    """
    rules, *said = render(name, **{key: " ".join(value.split()) for key, value in values.items()}).split("\n\n")
    return [
        Message("system", rules),
        *(Message("assistant" if i % 2 else "user", text) for i, text in enumerate(said)),
    ]


def reply(llm: LLM, said: Sequence[Message], max_tokens: int) -> str:
    """The first line of a model's answer, "" if there is none."""
    text = "".join(piece.text for piece in llm.stream(said, max_tokens=max_tokens)).strip()
    return text.splitlines()[0].strip() if text else ""


@cache
def _template(name: str) -> str:
    for folder in _FOLDERS:
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"there is no prompt {name}.md in {_FOLDERS[0]} or {_FOLDERS[1]}")
