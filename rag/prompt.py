"""What is said to a model: files with strict variables, each `{{name}}` filled, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from rag.errors import ConfigError
from rag.evidence import Passage
from rag.llms import LLM
from rag.orders import neutral
from rag.types import Message

# Beside the package in a wheel, beside the folder `rag` in a checkout.
_FOLDERS = (Path(__file__).parent / "prompts", Path(__file__).parent.parent / "prompts")
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


def messages(question: str, passages: Sequence[Passage], tongue: str) -> list[Message]:
    """What is said to the model, in the language `tongue`: the rules, then the passages, the question."""
    shown = "\n".join(_shown(passages))
    return [
        Message("system", render(f"answer.{tongue}")),
        Message("user", render(f"question.{tongue}", passages=shown, question=question)),
    ]


def _shown(passages: Sequence[Passage]) -> Iterator[str]:
    """The passages of each chunk under a number, and under its headings where they change: each token is time."""
    above = ""
    for i, (chunk, group) in enumerate(groupby(passages, key=lambda passage: passage.chunk), start=1):
        text = "\n".join(passage.text for passage in group)
        path = " > ".join(title for title in chunk.heading if title not in text)
        yield neutral(f"[{i}] ({path}) {text}" if path not in ("", above) else f"[{i}] {text}")
        above = path


def turns(name: str, **values: str) -> list[Message]:
    """The prompt ``prompts/<name>.md`` as a conversation: a paragraph a message, the first by the system.

    What follows are questions and answers to go by, and the last question. Values are put in as one paragraph.
    """
    rules, *said = render(name, **{key: " ".join(value.split()) for key, value in values.items()}).split("\n\n")
    return [
        Message("system", rules),
        *(Message("assistant" if i % 2 else "user", text) for i, text in enumerate(said)),
    ]


def reply(llm: LLM, said: Sequence[Message], max_tokens: int) -> str:
    """The first line of what a model answers, "" where it answers nothing."""
    text = "".join(piece.text for piece in llm.stream(said, max_tokens=max_tokens)).strip()
    return text.splitlines()[0].strip() if text else ""


@cache
def _template(name: str) -> str:
    for folder in _FOLDERS:
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"there is no prompt {name}.md in {_FOLDERS[0]} or {_FOLDERS[1]}")
