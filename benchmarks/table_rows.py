"""Questions to tables whose answer is a cell: how often its row is among the first hits, and under which column.

    python -m benchmarks.table_rows FOLDER QUESTIONS.json [--index URL]

QUESTIONS is a list of objects: `question`, `file` and `page` where the table stands, `label` (what names the row),
`cell` (the answer), `column` (what its column is called, "" where nothing does). The folder's PDF files are read
into a new index, or `--index` names one that holds them. Printed: the share of questions with the row (a line of
the right page with label and cell) among the first 1 and 5 hits, and the share of cells whose column is known: in
that hit a header of as many cells has the column's name at the cell's place. Misses go to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from rag import RAG, Hit

HITS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--index")
    given = parser.parse_args()
    questions = json.loads(given.questions.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder, RAG.open(given.index or f"faiss:{folder}/index") as rag:
        if not given.index:
            rag.ingest(*sorted(given.folder.rglob("*.pdf")))
        outcomes = [outcome(question, rag.search(question["question"], HITS)) for question in questions]
    for question, (rank, named) in zip(questions, outcomes, strict=True):
        if not rank or not named:
            told = "its column is not known" if rank else "not found"
            print(f"{told}: {question['question']} ({question['file']})", file=sys.stderr)
    with_column = [named for question, (_, named) in zip(questions, outcomes, strict=True) if question["column"]]
    figures = {
        "questions": len(questions),
        "row_at_1": share([rank == 1 for rank, _ in outcomes]),
        "row_at_5": share([rank > 0 for rank, _ in outcomes]),
        "column_known": share(with_column),
    }
    print(json.dumps(figures, indent=1))


def share(held: list[bool]) -> float:
    return round(sum(held) / max(1, len(held)), 3)


def outcome(question: dict[str, Any], hits: list[Hit]) -> tuple[int, bool]:
    """The rank of the first hit with the row, 0 for none; and whether it tells the cell's column."""
    for hit in hits:
        of_file = any(
            chunk.source.endswith(question["file"]) and chunk.page == question["page"]
            for chunk in (hit.chunk, *hit.also)
        )
        rows = [line for line in hit.text.split("\n") if question["label"] in line and question["cell"] in line]
        if of_file and rows:
            headers = [*hit.chunk.heading, *hit.text.split("\n")]
            return hit.rank, any(is_under(question, cells(row), headers) for row in rows)
    return 0, False


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def is_under(question: dict[str, Any], row: list[str], headers: list[str]) -> bool:
    """Is the cell one of its own, in the column of its name?"""
    name = question["column"]
    places = [i for i, cell in enumerate(row) if cell.startswith(question["cell"])]
    if not name:
        return bool(places)
    split = [cells(header) for header in headers]
    # The last cell of a passage is cut off where it is empty.
    return any(0 <= len(names) - len(row) < 2 and names[i] == name for names in split for i in places)


if __name__ == "__main__":
    main()
