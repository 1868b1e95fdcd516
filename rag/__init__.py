"""ragstone: question answering over your own documents, with answers that the documents support.

In: folders of documents, and questions. Out: answers with citations, or a refusal. `RAG` does it all; the names
in `__all__` and those of `rag.langchain` are the public ones.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# No telemetry, of ours or of a library's; what the user has set stays. Read when a library is imported, so it is
# set before any is, and what reads files in processes of its own takes it over.
for _name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")

if TYPE_CHECKING:
    from rag.api import RAG
    from rag.errors import RagError
    from rag.index import Index
    from rag.types import Answer, Chunk, Citation, Hit, Where

__all__ = ["RAG", "Answer", "Chunk", "Citation", "Hit", "Index", "RagError", "Where"]
__version__ = "0.1.0"

_HOMES = {"RAG": "rag.api", "Index": "rag.index", "RagError": "rag.errors"}


def __getattr__(name: str) -> Any:
    """Import on first use: `rag --help` must not wait for numpy."""
    if name not in __all__:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES.get(name, "rag.types")), name)
