"""A table of a thousand reviews: searched for "pet food", its long rows reported and whole in the index."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from rag.cli import rag
from rag.network.tokens import encoding_for
from rag.stores import open_store

if not os.environ.get("RAG_SHARED"):
    pytest.skip("RAG_SHARED is not set", allow_module_level=True)

REVIEWS = Path(os.environ["RAG_SHARED"]) / "files" / "fine_food_reviews_1k.csv"
ANIMALS = ("dog", "cat", "pet", "puppy", "kitten")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, object]]:
    """Where the reviews are, and the report of their ingest."""
    url = f"faiss:{tmp_path_factory.mktemp('reviews')}"
    arguments = ["ingest", str(REVIEWS), "--csv-text", "Summary,Text", "--index", url, "--json"]
    done = CliRunner().invoke(rag, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return url, json.loads(done.stdout)


def test_pet_food(index: tuple[str, dict[str, object]]) -> None:
    done = CliRunner().invoke(rag, ["search", "pet food", "--index", index[0], "--json"], catch_exceptions=False)
    hits = json.loads(done.stdout)["hits"]
    assert len(hits) == 10
    assert [any(animal in hit["text"].lower() for animal in ANIMALS) for hit in hits[:5]] == [True] * 5
    assert all("row " in hit["heading"] for hit in hits)


def test_long_rows_are_reported_and_whole(index: tuple[str, dict[str, object]]) -> None:
    url, report = index
    with REVIEWS.open(encoding="utf-8", newline="") as file:
        rows = [f"Summary: {row['Summary'].strip()}\nText: {row['Text'].strip()}" for row in csv.DictReader(file)]
    store = open_store(url)
    (document,) = store.documents().values()
    chunks = store.rows(document.source)[1]  # type: ignore[attr-defined]
    store.close()
    parts: dict[str, list[tuple[int, int]]] = {}
    for chunk in chunks:
        parts.setdefault(chunk.heading[-1], []).append((chunk.start, chunk.end))
    assert len(parts) == len(rows)
    long = [name for name, spans in parts.items() if len(spans) > 1]
    (cut,) = report["cut"]  # type: ignore[misc]
    assert cut["reason"].endswith(f": {len(long)} ({long[0]} first)")
    for number, row in enumerate(rows, 1):
        covered = {at for start, end in parts[f"row {number}"] for at in range(start, end)}
        assert not "".join(char for at, char in enumerate(row) if at not in covered).strip(), number
    # By tiktoken, too: what has more tokens than the largest chunk cannot have stayed in one.
    encoding = encoding_for("text-embedding-3-small")
    over = {f"row {i}" for i, row in enumerate(rows, 1) if len(encoding.encode(row, disallowed_special=())) > 512}
    assert over <= set(long)
