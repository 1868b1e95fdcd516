"""An embedder of your own: anything with these members embeds for `RAG.open(embedder=…)`.

This one counts runs of three characters: no model, and yet it forgives spelling mistakes.
python examples/own_embedder.py data/docs "burrs of the Wren grnder"
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from rag import RAG
from rag.types import Vectors


class TrigramEmbedder:
    id = "trigrams"  # the index records it, and opens with no other
    weights = "trigrams-1"  # what tells two versions of one name apart: change it when the vectors change
    dim = 512
    max_tokens = 200  # chunks are cut so that none is longer, as `count_tokens` counts

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_tokens(text)) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Rows of unit length, float32, in the order of `texts`."""
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            padded = f"  {' '.join(_tokens(text)[: self.max_tokens])} "
            for start in range(len(padded) - 2):
                vectors[row, crc32(padded[start : start + 3].encode()) % self.dim] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)


def _tokens(text: str) -> list[str]:
    """Words in Latin letters and digits, single characters of other scripts."""
    return re.findall(r"[a-z0-9]+|\w", text.lower())


if __name__ == "__main__":
    folder, question = sys.argv[1:]
    with (
        tempfile.TemporaryDirectory() as place,
        RAG.open(f"faiss:{place}/index", embedder=TrigramEmbedder(), llm="none") as rag,
    ):
        rag.ingest(folder)
        for hit in rag.search(question, k=3):
            print(f"{hit.score:.2f} {hit.chunk.source}: {' '.join(hit.chunk.text.split())[:80]}")
