"""Prompts are files with strict variables: each `{{name}}` is filled, and nothing else is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from rag.errors import ConfigError

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


@cache
def _template(name: str) -> str:
    for folder in _FOLDERS:
        path = folder / f"{name}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise ConfigError(f"there is no prompt {name}.md in {_FOLDERS[0]} or {_FOLDERS[1]}")
