"""Labels from examples: told on texts that were left out, and beside what words alone tell."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Rag, Tree

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import SpaceError
from rag.space.classify import cross_validate, train, zero_shot
from rag.space.examples import read_examples
from rag.space.points import read_points

PRAISE = "wonderful excellent delicious great perfect love".split()
BLAME = "broken awful terrible refund stale waste".split()


def rows(n: int) -> list[tuple[str, str]]:
    draw = np.random.default_rng(1)
    kinds = (("praise", PRAISE), ("blame", BLAME))
    return [
        (f"the {' '.join(draw.permutation(words)[:3])} thing", label) for label, words in kinds for _ in range(n)
    ]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "examples.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows(12), ("not labelled", "")])
    return path


def test_labels_are_learnt(hashed: HashedEmbedder) -> None:
    texts, labels = zip(*rows(20), strict=True)
    classifier = train(hashed.embed_documents(texts), labels)
    told = classifier.predict(hashed.embed_documents(["an awful waste", "perfect, I love it", "nothing known"]))
    assert [each.label for each in told[:2]] == ["blame", "praise"]
    assert told[0].probability > 0.8 > 0.75 > told[2].probability >= 0.5


def test_cross_validation(hashed: HashedEmbedder) -> None:
    texts, labels = zip(*rows(20), strict=True)
    vectors, words = cross_validate(hashed.embed_documents(texts), labels, texts)
    assert words is not None
    assert (vectors.accuracy, vectors.macro_f1, words.macro_f1) == (1, 1, 1)
    assert vectors.labels == ("blame", "praise")
    assert vectors.confusion == ((20, 0), (0, 20))
    shuffled = np.random.default_rng(0).permutation(labels)
    assert cross_validate(hashed.embed_documents(texts), shuffled.tolist())[0].macro_f1 < 0.8


def test_by_names_alone(hashed: HashedEmbedder) -> None:
    vectors = hashed.embed_documents(["the parking of the office", "the coffee of the kitchen"])
    assert [each.label for each in zero_shot(hashed, ["kitchen", "parking"], vectors)] == ["parking", "kitchen"]


def test_examples_from_folders_and_lines(rag: RAG, tree: Tree) -> None:
    folder = tree({"good/a.txt": "good indeed", "good/b.md": "# Good", "bad/c.txt": "bad"}, "labels")
    found = read_examples(folder, ["text"], "label")
    assert sorted(zip(found.labels, found.texts, strict=True))[0] == ("bad", "bad")
    lines = tree({"lines.txt": "# by hand\nwarranty: notes/warranty.txt\nrest: notes/o*.md\n"}, "x") / "lines.txt"
    found = read_examples(lines, [], "", read_points(rag.store))
    assert found.labels == ("warranty", "rest")
    assert "24 months" in found.texts[0]


def test_bad_input(tmp_path: Path, table: Path, rag: RAG, tree: Tree) -> None:
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(SpaceError, match="two labels or more are needed, and the examples have a"):
        train(vectors, ["a", "a", "a"])
    with pytest.raises(SpaceError, match="the label 'b' has one example"):
        cross_validate(vectors, ["a", "a", "b"])
    with pytest.raises(SpaceError, match="has no column 'score': it has 'text', 'label'"):
        read_examples(table, ["text"], "score")
    with pytest.raises(SpaceError, match="cannot be read"):
        read_examples(tmp_path / "none.csv", ["text"], "label")
    lines = tree({"lines.txt": "warranty: notes/gone.txt\n"}, "x") / "lines.txt"
    with pytest.raises(SpaceError, match="line 1"):
        read_examples(lines, [], "", read_points(rag.store))


def test_command(index: str, table: Path, tmp_path: Path, run_rag: Rag) -> None:
    done = run_rag(
        "classify", table, "--text", "an awful waste", "--text", "xyz", "--embedder", "hashed", "--below", "0.8"
    )
    assert "accuracy 1.000, macro F1 1.000 (10 folds)" in done.stdout
    assert "blame: 1, unsure: 1" in done.stdout
    out = tmp_path / "out.csv"
    done = run_rag("classify", "--zero-shot", "parking,warranty", "--index", index, "--to", out, "--json")
    found = json.loads(done.stdout)["labels"]
    assert {row["label"] for row in found if row["source"].startswith("notes/warranty")} == {"warranty"}
    assert len(out.read_text("utf-8").splitlines()) >= len(found)
    done = run_rag("classify", table, "--label-column", "score", "--only-check", "--embedder", "hashed")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
