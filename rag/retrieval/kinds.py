"""Which kind of answer a question wants. A wrong kind costs form, never truth."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from rag.text import content_terms, script

__all__ = ["Kind", "kind_of", "without_asking"]

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


_WORDY: tuple[Kind, ...] = ("summary", "why")
"""Of 35 questions about Vue with and without an answer, others are told apart as well by all their words."""
_LONGEST = {"latin": 25, "other": 12}
"""Characters of the longest match that is nothing but words that ask; a longer one has a part of what is asked."""


def without_asking(question: str, kind: Kind) -> str:
    """`question` without the words that say which kind of answer it wants: "slots" of "Summarise slots".

    No document has those: they tell nothing of whether it answers.
    """
    plain = _POLITE.sub("", " ".join(question.split()))
    if kind not in _WORDY:
        return plain
    most = _LONGEST[script(plain)]
    shorter = _patterns()[kind].sub(lambda match: " " if len(match[0]) <= most else match[0], plain)
    return shorter if content_terms(shorter) else plain


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
