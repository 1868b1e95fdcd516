"""Topics: found without being told how many, named by their words, the same twice."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import Rag, Tree

from rag import RAG
from rag.embedders.hashed import HashedEmbedder
from rag.errors import SpaceError
from rag.space.names import name_groups
from rag.space.points import Points
from rag.space.topics import find_topics
from rag.types import Chunk, Document

ABOUT = {
    "coffee": "espresso grinder beans roast crema barista".split(),
    "garden": "tulip compost pruning seedlings mulch greenhouse".split(),
    "tax": "refund deduction filing payroll ledger invoice".split(),
}


def sentences(topic: str, n: int) -> list[str]:
    draw = np.random.default_rng(len(topic))
    return [f"Row: the {' '.join(draw.permutation(ABOUT[topic])[:4])} of the {topic} house" for _ in range(n)]


def labelled() -> tuple[Points, list[str]]:
    texts = [(topic, text) for topic in ABOUT for text in sentences(topic, 40)]
    chunks = [Chunk(f"{topic}.txt", text, 0, len(text), i) for i, (topic, text) in enumerate(texts)]
    documents = {f"{t}.txt": Document(f"{t}.txt", t, t, 1, 1, "txt", 40) for t in ABOUT}
    vectors = HashedEmbedder().embed_documents([chunk.text for chunk in chunks])
    return Points(chunks, vectors, documents), [topic for topic, _ in texts]


def test_topics_are_those_of_the_texts() -> None:
    points, labels = labelled()
    found = find_topics(points, resolution=0.5)
    assert len(found.topics) == 3
    assert found.without < 0.05
    for topic in found.topics:
        (about,) = {labels[row] for row in topic.rows}
        assert {word for term in topic.name for word in term.split()} <= {about, "house", *ABOUT[about]}
        assert len(topic.name) >= 2
        assert {chunk.source for chunk in topic.typical} == {f"{about}.txt"}
    assert (
        sorted(row for topic in found.topics for row in topic.rows) == np.flatnonzero(found.labels >= 0).tolist()
    )


def test_the_same_twice_and_more_of_them_on_demand() -> None:
    points, _ = labelled()
    first, again, finer = (find_topics(points, resolution) for resolution in (1, 1, 6))
    assert first.labels.tolist() == again.labels.tolist()
    assert [topic.name for topic in first.topics] == [topic.name for topic in again.topics]
    assert len(finer.topics) > len(first.topics)


def test_names() -> None:
    names = name_groups(
        [
            ["Text: 响应式系统会追踪依赖。", "Text: 深入响应式系统。", "Text: 响应式系统与代理。"],
            ["Text: Pet food for my dog", "Text: good pet food", "Text: pet food, again"],
        ],
        words=2,
    )
    assert names == [("响应式系统",), ("Pet food",)]
    assert name_groups([["alone alone"]]) == [("alone",)]
    assert name_groups([]) == []


def test_bad_input(rag: RAG) -> None:
    points = Points([], np.empty((0, 4), np.float32), {})
    with pytest.raises(SpaceError, match="0 passages have no topics"):
        find_topics(points)
    with pytest.raises(SpaceError, match="resolution must be above 0"):
        find_topics(labelled()[0], 0)


def test_command(tree: Tree, url: str, run_rag: Rag, hashed: HashedEmbedder) -> None:
    folder = tree({f"{topic}-{n}.txt": text for topic in ABOUT for n, text in enumerate(sentences(topic, 20))})
    with RAG.open(url, embedder=hashed, llm="none") as rag:
        rag.ingest(folder)
    done = run_rag("topics", "--index", url, "--resolution", "0.5", "--json")
    found = json.loads(done.stdout)
    assert len(found["topics"]) == 3
    assert sum(topic["passages"] for topic in found["topics"]) + round(found["without"] * 60) == 60
    done = run_rag("topics", "--index", url, "--tree")
    assert done.stdout.splitlines()[-1].startswith("3 topics; ")
    done = run_rag("topics", "--index", url, "--source", "nothing/*")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "too few" in done.stderr
