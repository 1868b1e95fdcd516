"""Small talk and questions about the program: one line that says what it does and what it has read."""

from __future__ import annotations

from rag.retrieval.question import Question
from rag.stores import Store

__all__ = ["introduce"]

_SAYS = {
    "en": "I answer questions from your own documents and show where each answer stands. "
    "I have read {count}{names}. Ask me about them.",
    "zh": "我根据您自己的文档回答问题，并注明出处。目前读过 {count}{names}。请就这些文档提问。",
}
SHOWN = 3
"""Files that are named as examples."""


def introduce(question: Question, store: Store) -> str:
    """What the program says of itself, in the language of `question`."""
    sources = sorted(store.documents())
    names = [source.rpartition("/")[2] for source in sources[:SHOWN]]
    if question.language == "zh":
        more = " 等" if len(sources) > SHOWN else ""
        return _SAYS["zh"].format(
            count=f"{len(sources)} 份文档", names=f"（{'、'.join(names)}{more}）" if names else ""
        )
    more = ", …" if len(sources) > SHOWN else ""
    count = "1 document" if len(sources) == 1 else f"{len(sources)} documents"
    return _SAYS["en"].format(count=count, names=f" ({', '.join(names)}{more})" if names else "")
