"""How near sentences are to each other: python examples/sentences.py ["…" "…"] (default: two well-known sets)."""

import sys
from collections.abc import Sequence

from rag.embedders import load_embedder

ENGLISH = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
CHINESE = ("我喜欢吃苹果", "我爱吃水果", "苹果公司发布了新手机", "今天天气很好")


def matrix(sentences: Sequence[str], embedder: str = "bilingual") -> list[list[float]]:
    """The cosine of each pair."""
    vectors = load_embedder(embedder).embed_documents(sentences)
    return [[round(float(cosine), 3) for cosine in row] for row in vectors @ vectors.T]


if __name__ == "__main__":
    for sentences in (sys.argv[1:],) if sys.argv[1:] else (ENGLISH, CHINESE):
        for sentence, row in zip(sentences, matrix(sentences), strict=True):
            print("".join(f"{cosine:7.3f}" for cosine in row), "", sentence)
        print()
