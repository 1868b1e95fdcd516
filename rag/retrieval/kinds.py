"""Which kind of answer a question wants. A wrong kind costs form, never truth."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

__all__ = ["Kind", "kind_of"]

Kind = Literal["files", "smalltalk", "summary", "table", "compare", "why", "steps", "list", "yesno", "fact"]

_POLITE = re.compile(
    r"^(?:please|(?:do you|does anyone) know|(?:can|could|would) you (?:please )?(?:tell|give|show) me"
    r"|请问?|麻烦(?:你|您)?|帮我)\s*",
    re.IGNORECASE,
)


def kind_of(question: str) -> Kind:
    """The kind of answer that `question` wants; "fact" where nothing says otherwise."""
    whole = " ".join(question.split())
    plain = _POLITE.sub("", whole)
    for kind, pattern in _patterns().items():
        if pattern.search(whole if kind == "files" else plain):
            return kind
    return "fact"


@cache
def _patterns() -> dict[Kind, re.Pattern[str]]:
    """The patterns of `kinds.toml`, a kind each, in the order in which they are tried."""
    known: dict[str, Any] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    words = known["words"]

    def filled(pattern: str) -> str:
        return re.sub(r"\{([A-Z_]+)\}", lambda match: words[match[1]], pattern)

    return {
        kind: re.compile("|".join(map(filled, known[kind])), re.IGNORECASE)
        for kind in get_args(Kind)
        if kind in known
    }
