"""How words of a document are shown within an answer."""

from __future__ import annotations

import re

from rag.text import language

__all__ = ["in_quotes", "without_markers"]


_MARKERS = re.compile(r"\s*\[\d+(?:\s*[,，-]\s*\d+)*\]|【\d+】")


def without_markers(text: str) -> str:
    """`text` without numbers in brackets, which a reader would take for citations of ours."""
    return _MARKERS.sub("", text)


def in_quotes(text: str) -> str:
    """`text` between the quotation marks of its language."""
    return f"“{text}”" if language(text) == "en" else f"「{text}」"
