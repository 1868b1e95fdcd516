"""Questions with known answers, asked with their documents and without: what is counted, and how."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from helpers.scripted import ScriptedLLM

from rag.answering.answerer import Answerer
from rag.config import Settings
from rag.embedders.hashed import HashedEmbedder
from rag.evaluation.answers import Case, curve, figures, run, sample, write_table
from rag.evaluation.beir import Beir, index_beir, read_beir
from rag.stores import open_store

TEXTS = {
    "oak": "The oak by the gate was planted in 1871. The oak is the oldest tree of the park.",
    "pond": "The pond behind the mill holds carp and tench. It froze in the winter of 1963.",
    "mill": "The mill by the gate grinds rye and wheat. Its wheel was made of iron by two smiths of the village.",
}
QUESTIONS = {
    "q1": ("When was the oak by the gate planted?", ["1871"], "oak"),
    "q2": ("What does the pond behind the mill hold?", ["carp and tench"], "pond"),
}


@pytest.fixture
def beir(tmp_path: Path) -> Beir:
    folder = tmp_path / "set"
    folder.mkdir()
    corpus = [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    queries = [{"_id": name, "text": text, "answers": golds} for name, (text, golds, _) in QUESTIONS.items()]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    qrels = "".join(f"{name}\t{source}\t1\n" for name, (_, _, source) in QUESTIONS.items())
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrels}", "utf-8")
    return read_beir(folder)


def cases(beir: Beir, tmp_path: Path, replies: dict[str, str]) -> list[Case]:
    store, embedder, settings = open_store(f"faiss:{tmp_path}/index"), HashedEmbedder(), Settings(strictness=0.0)
    index_beir(store, embedder, beir, settings)
    answerer = Answerer(store, embedder, ScriptedLLM(replies), settings)
    return list(run(answerer, beir, sample(beir, None, 1)))


def test_right_answers_and_right_refusals(beir: Beir, tmp_path: Path) -> None:
    found = cases(beir, tmp_path, {"planted?": "1871", "hold?": "carp and tench"})
    assert [case.hidden for case in found] == [False, True, False, True]
    told = figures(found)
    assert told["n"] == 2
    for name in ("em", "f1", "answer_recall", "short_recall", "citation_precision", "quotation_precision",
                 "citation_recall", "right_refusal"):  # fmt: skip
        assert told[name] == 1.0, name
    assert told["false_refusal"] == 0.0


def test_a_right_answer_and_another_one(beir: Beir, tmp_path: Path) -> None:
    told = figures(cases(beir, tmp_path, {"planted?": "1871", "hold?": "tench"}))
    assert (told["answer_recall"], told["short_recall"]) == (0.5, 0.5)
    assert told["em"] == 0.5
    assert 0.5 < told["f1"] < 1


def test_a_wrong_sentence_of_the_right_passage(beir: Beir, tmp_path: Path) -> None:
    told = figures(cases(beir, tmp_path, {"planted?": "The oak is the oldest tree of the park.", "hold?": "NONE"}))
    assert (told["citation_precision"], told["quotation_precision"]) == (1.0, 0.0)
    assert (told["false_refusal"], told["answer_recall"]) == (0.5, 0.0)


def test_an_answer_from_elsewhere_when_its_document_is_hidden(beir: Beir, tmp_path: Path) -> None:
    found = cases(beir, tmp_path, {"planted?": "The mill by the gate grinds rye and wheat.", "hold?": "NONE"})
    assert figures(found)["right_refusal"] == 0.5
    (answered,) = (case for case in found if case.hidden and not case.refused)
    assert (answered.right, answered.em) == ((False,), 0.0)
    # with the oak's document there, a sentence about the mill is no answer to a question about the oak
    assert all((wrong, right) == (1.0, 0.5) for _, wrong, right in curve(found, 0.0))


def test_every_case_in_a_table(beir: Beir, tmp_path: Path) -> None:
    found = cases(beir, tmp_path, {"planted?": "1871"})
    write_table(tmp_path / "cases.csv", found)
    with (tmp_path / "cases.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert next(row["short"] for row in rows if row["id"] == "q1") == "1871"
    assert len(rows) == 4
