"""Search a table of reviews: python examples/search_reviews.py reviews.csv title,text "too sweet for children"."""

import sys
import tempfile

from rag import RAG


def search(table: str, columns: list[str], question: str, embedder: str = "bilingual") -> list[str]:
    """The five rows that match `question` best: score, row and text."""
    with tempfile.TemporaryDirectory() as folder, RAG.open(f"faiss:{folder}/index", embedder=embedder) as rag:
        report = rag.ingest(table, csv_text=columns)
        for problem in report.skipped + report.failed:
            print(f"{problem['source']}: {problem['reason']}", file=sys.stderr)
        hits = rag.search(question, k=5)
        return [f"{hit.score:.2f} {hit.chunk.heading[-1]}: {' '.join(hit.chunk.text.split())}" for hit in hits]


if __name__ == "__main__":
    table, columns, question = sys.argv[1:]
    print("\n".join(search(table, columns.split(","), question)))
