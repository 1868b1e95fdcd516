"""A chatbot in 15 lines: one question a line, answered from the index that RAG_INDEX names."""

import sys

from rag import RAG, Answer

with RAG.open() as rag:
    chat = rag.chat()
    for line in sys.stdin:
        if not line.strip():
            continue
        for piece in chat.stream(line.strip()):
            if isinstance(piece, Answer):
                print()
                for c in piece.citations:
                    where = f"{c.source}, p. {c.page}" if c.page else c.source
                    print(f"  [{c.n}] {where}: {' '.join(c.quote.split())}")
            else:
                print(piece, end="", flush=True)
