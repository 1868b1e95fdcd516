"""The same thing written otherwise: is the right passage first?

    python -m benchmarks.written --embedder bilingual --embedder e5

Passages and questions of `written.toml`, by the whole path of ingest and search. Printed: the share of questions
whose passage comes first, of those with and without Chinese, and the questions that miss.
"""

from __future__ import annotations

import argparse
import tempfile
import tomllib
from pathlib import Path

from rag import RAG

CASES = Path(__file__).with_suffix(".toml")


def measure(embedder: str) -> list[tuple[str, str, str]]:
    """Question, the passage that answers it, and the one that came first."""
    cases = tomllib.loads(CASES.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "docs"
        folder.mkdir()
        places = {name: f"docs/{n}.txt" for n, name in enumerate(cases["passages"])}
        for name, text in cases["passages"].items():
            (Path(scratch) / places[name]).write_text(text, encoding="utf-8")
        with RAG.open(f"faiss:{scratch}/index", embedder=embedder, llm="none") as rag:
            rag.ingest(folder)
            names = {place: name for name, place in places.items()}
            return [
                (question, name, names[rag.search(question, 1)[0].source])
                for name, questions in cases["questions"].items()
                for question in questions
            ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", action="append", required=True)
    for embedder in parser.parse_args().embedder:
        found = measure(embedder)
        for language, is_chinese in (("English", False), ("Chinese", True)):
            asked = [(name, first) for question, name, first in found if name.startswith("zh_") == is_chinese]
            right = sum(name == first for name, first in asked)
            print(f"{embedder}: {language} {right} of {len(asked)}, {right / len(asked):.3f}")
        for question, name, first in found:
            if name != first:
                print(f"  {question!r}: {first}, not {name}")


if __name__ == "__main__":
    main()
