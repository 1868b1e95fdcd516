"""The space of meaning, measured: labels, topics beside k-means and BERTopic, maps, and what each command costs.

    python -m benchmarks.space reviews REVIEWS.csv [--embedder e5]
    python -m benchmarks.space topics REVIEWS.csv --shared FOLDER --work FOLDER [--bertopic PYTHON]
    python -m benchmarks.space projections --index URL --work FOLDER [--sizes 1000,10000,100000]
    python -m benchmarks.space commands --index URL --work FOLDER [--sizes 10000,100000]

Each prints rows of a Markdown table, which SPACE.md holds. Seconds of the processor stand beside those of the
clock: on a machine that others use, only the former say anything. REVIEWS.csv is the table of 1,000 food reviews
(columns ProductId, UserId, Score, Summary, Text); `--index` is a real one, around whose vectors others are drawn.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
SETS = ("cmrc2018-trial", "dragonball-dev-en", "dragonball-dev-zh", "dureader-robust-dev", "financebench-pages",
        "scifact", "xquad-en", "xquad-zh")  # fmt: skip
MOST = 500  # documents of a set


def read_reviews(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def text_of(row: dict[str, str]) -> str:
    return f"{row['Summary']}\n{row['Text']}"


def embed(texts: list[str], work: Path, name: str, embedder: str) -> np.ndarray:
    """Vectors that are computed once and kept in `work`."""
    from rag.embedders import load_embedder

    path = work / f"{name}-{embedder}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    vectors = load_embedder(embedder).embed_documents(texts)
    work.mkdir(parents=True, exist_ok=True)
    np.save(path, vectors)
    return vectors


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` gives, seconds of the clock, seconds of the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    return work(), time.perf_counter() - began, time.process_time() - cpu


def show(*cells: object) -> None:
    """A row of a table; numbers with three digits behind the point up to 1, with one above."""
    told = [f"{c:.{3 if c <= 1 else 1}f}" if isinstance(c, float) else str(c) for c in cells]
    print("|", " | ".join(told), "|", flush=True)


def reviews(path: Path, work: Path, embedder: str) -> None:
    """Positive and negative (three stars left out), and the five scores; then few examples, ten draws."""
    from rag.space import cross_validate

    rows = read_reviews(path)
    texts = [text_of(row) for row in rows]
    vectors = embed(texts, work, "reviews", embedder)
    scores = np.array([int(row["Score"]) for row in rows])
    clear = np.flatnonzero(scores != 3)
    sides = np.array(["positive" if score > 3 else "negative" for score in scores])
    show("", "macro F1", "of words", "accuracy", "of words")
    for name, some, labels in (
        ("positive or negative", clear, sides),
        ("score", np.arange(len(rows)), scores.astype(str)),
    ):
        ours, words = cross_validate(vectors[some], labels[some].tolist(), [texts[i] for i in some])
        assert words is not None
        show(f"{name}, ten-fold", ours.macro_f1, words.macro_f1, ours.accuracy, words.accuracy)
    found = [few(vectors, sides, clear, seed) for seed in range(10)]
    show(
        "positive or negative, 20 examples each, ten draws",
        float(np.mean(found)),
        f"± {np.std(found):.3f}",
        "",
        "",
    )
    alike(rows, vectors)


def few(vectors: np.ndarray, sides: np.ndarray, clear: np.ndarray, seed: int) -> float:
    """Macro F1 on all other reviews, after 20 of each side."""
    from sklearn.metrics import f1_score

    from rag.space import train

    draw = np.random.default_rng(seed)
    sets = [draw.choice(clear[sides[clear] == side], 20, replace=False) for side in ("positive", "negative")]
    learnt = np.concatenate(sets)
    rest = np.setdiff1d(clear, learnt)
    called = train(vectors[learnt], sides[learnt].tolist()).predict(vectors[rest])
    return float(f1_score(sides[rest], [each.label for each in called], average="macro"))


def alike(rows: list[dict[str, str]], vectors: np.ndarray) -> None:
    """recall@10: of users with two or more liked reviews each is held out once, and looked for by the others."""
    liked: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        if int(row["Score"]) > 3:
            liked.setdefault(row["UserId"], []).append(i)
    found, by_chance = [], []
    for own in liked.values():
        for held in own if len(own) > 1 else ():
            known = [i for i in own if i != held]
            cosines = vectors @ vectors[known].mean(axis=0)
            cosines[known] = -np.inf
            found.append(held in np.argsort(-cosines)[:10])
            by_chance.append(10 / (len(rows) - len(known)))
    show(f"a review of {len(found)} by its user's others, recall@10; by chance", float(np.mean(found)),
         float(np.mean(by_chance)), "", "")  # fmt: skip


def topics(path: Path, shared: Path, work: Path, embedder: str, bertopic: str | None) -> None:
    """Adjusted mutual information with the labels; all by the same vectors."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score

    show("set", "by", "AMI", "topics", "without", "seconds", "of the processor")
    for name, texts, labels, judged in labelled(path, shared):
        vectors = embed(texts, work, name, embedder)

        def score(found: Iterable[int], labels: list[str] = labels, judged: list[int] = judged) -> float:
            found = list(found)
            return float(adjusted_mutual_info_score([labels[i] for i in judged], [found[i] for i in judged]))

        ours, seconds, cpu = timed(lambda vectors=vectors, texts=texts: find(vectors, texts))
        show(name, "ragstone", score(ours.labels), len(ours.topics), f"{ours.without:.0%}", seconds, cpu)
        for k in dict.fromkeys((len(ours.topics), min(len(set(labels)), 50))):
            model = KMeans(k, n_init=3, random_state=0)
            means, seconds, cpu = timed(lambda model=model, vectors=vectors: model.fit_predict(vectors))
            show(name, "k-means", score(means), k, "", seconds, cpu)
        if bertopic:
            theirs = run_bertopic(bertopic, vectors, texts)
            of = theirs["topics"]
            without = f"{sum(t < 0 for t in of) / len(of):.0%}"
            show(name, "BERTopic", score(of), max(of) + 1, without, theirs["seconds"], theirs["cpu"])


def labelled(path: Path, shared: Path) -> Iterable[tuple[str, list[str], list[str], list[int]]]:
    """Documents by the set and language that they are of; reviews by product, judged where it has two or more."""
    found = []
    for name in SETS:
        with (shared / "eval" / name / "corpus.jsonl").open(encoding="utf-8") as lines:
            found += [(name, f"{d.get('title') or ''} {d['text']}"[:1200]) for d in map(json.loads, lines)][:MOST]
    yield "sets", [text for _, text in found], [name for name, _ in found], list(range(len(found)))
    rows = read_reviews(path)
    products = [row["ProductId"] for row in rows]
    more = Counter(products)
    yield "products", [text_of(row) for row in rows], products, [i for i, p in enumerate(products) if more[p] > 1]


def find(vectors: np.ndarray, texts: list[str]) -> Any:
    from rag.space import Points, find_topics
    from rag.types import Chunk, Document

    chunks = [Chunk(f"{i}", text, 0, len(text)) for i, text in enumerate(texts)]
    documents = {c.source: Document(c.source, c.source, "0", 1, 1, "text", 1) for c in chunks}
    return find_topics(Points(chunks, vectors, documents))


def run_bertopic(python: str, vectors: np.ndarray, texts: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "v.npy"), vectors)
        Path(folder, "t.json").write_text(json.dumps(texts), encoding="utf-8")
        command = [python, HERE / "peers" / "topics_bertopic.py", Path(folder, "v.npy"), Path(folder, "t.json")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def projections(index: str, sizes: list[int]) -> None:
    """Ways to lay out the same vectors: seconds, and trustworthiness of 15 neighbours."""
    from rag.space.maps import layout

    show("points", "by", "trustworthiness@15", "seconds", "of the processor")
    for n in sizes:
        vectors = grown(index, n).vectors
        near, seconds, cpu = timed(lambda v=vectors: layout.find_neighbours(v, layout.neighbours_wanted(len(v))))
        show(f"{n:,}", "(the neighbours alone)", "", seconds, cpu)
        start = layout._main_directions(vectors)
        start *= 1e-4 / start[:, 0].std()
        ways: dict[str, Callable[[], np.ndarray]] = {
            "t-SNE, openTSNE": lambda near=near, start=start: layout._large(near, start, 0),
            "PaCMAP": lambda vectors=vectors: pacmap(vectors),
        }
        if n <= 20_000:
            ways["t-SNE, scikit-learn"] = lambda near=near, start=start: layout._small(near, start, 0)
        for name, way in ways.items():
            plane, seconds, cpu = timed(way)
            truth = layout.trustworthiness(vectors, np.asarray(plane, np.float32))
            show(f"{n:,}", name, truth, seconds, cpu)


def pacmap(vectors: np.ndarray) -> np.ndarray:
    from pacmap import PaCMAP

    return PaCMAP(random_state=0).fit_transform(vectors)


def grown(index: str, n: int) -> Any:
    """`n` points: those of an index, evenly taken where it has more; then ones drawn around them.

    A drawn vector is a real one plus the difference of two others that are near each other, as far as real
    neighbours lie apart; its text is the real one's with its number.
    """
    from rag.space import Points, read_points
    from rag.space.neighbours import find_neighbours
    from rag.space.points import unit
    from rag.stores import open_store

    points = read_points(open_store(index))
    draw = np.random.default_rng(7)
    if n <= len(points):
        rows = np.linspace(0, len(points) - 1, n).astype(int).tolist()
        return Points([points.chunks[i] for i in rows], points.vectors[rows], points.documents)
    near = find_neighbours(points.vectors, 10).rows
    of = np.arange(len(points), n) % len(points)
    pairs = draw.integers(0, len(points), len(of))
    others = near[pairs, draw.integers(0, 10, len(of))]
    steps = draw.uniform(0.6, 1.4, (len(of), 1)).astype(np.float32)
    drawn = unit(points.vectors[of] + steps * (points.vectors[pairs] - points.vectors[others]))
    chunks = [
        replace(points.chunks[i], text=f"{points.chunks[i].text} {number}") for number, i in enumerate(of.tolist())
    ]
    return Points([*points.chunks, *chunks], np.vstack([points.vectors, drawn]), points.documents)


def build(index: str, n: int, work: Path) -> str:
    """The URL of an index with `grown` points, 25 a document."""
    from rag.stores import open_store
    from rag.types import Document

    url = f"faiss:{work / f'grown-{n}'}"
    if (work / f"grown-{n}").exists():
        return url
    points = grown(index, n)
    manifest = open_store(index).manifest()
    assert manifest is not None
    with open_store(url).write(manifest) as writer:
        for start in range(0, n, 25):
            rows = range(start, min(start + 25, n))
            source = f"{start // 25:05}.md"
            chunks = [replace(points.chunks[i], source=source, position=k) for k, i in enumerate(rows)]
            document = Document(source, f"/grown/{source}", "0" * 64, 1, 1, "markdown", len(chunks))
            writer.put(document, chunks, points.vectors[rows.start : rows.stop])
            if start % 5000 == 0:
                writer.commit()
        writer.commit()
    return url


def commands(index: str, work: Path, sizes: list[int], only: str) -> None:
    """Each command in a process of its own: seconds of the clock and the processor, peak of memory."""
    urls = [build(index, n, work) for n in sizes]
    lines = {
        "topics": ["topics", "--json"],
        "duplicates": ["duplicates", "--json"],
        "map": ["map", "--html", str(work / "map.html")],
        "similar": ["similar", "00001.md", "--documents"],
        "classify": ["classify", "--zero-shot", "medicine,history,computers"],
    }
    show("command", *(cell for n in sizes for cell in (f"{n:,}: seconds", "of the processor", "MB")), "exponent")
    for name, line in lines.items():
        if only and name not in only.split(","):
            continue
        figures = [cost([*line, "--index", url]) for url in urls]
        exponent = np.log(figures[-1][1] / figures[0][1]) / np.log(sizes[-1] / sizes[0])
        cells = [cell for figure in figures for cell in figure]
        show(f"`rag {name}`", *cells, f"{exponent:.2f}")


# Not ru_maxrss, which begins with what the process that started this one holds.
_RUN = """
import os, sys
from rag.cli import main
try:
    main()
finally:
    used = os.times()
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(used.user + used.system, int(peak.split()[1]) / 1024, file=sys.stderr)
"""


def cost(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds of the clock, of the processor; MB at the most."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(done.stderr)
    cpu, peak = map(float, done.stderr.split()[-2:])
    return seconds, cpu, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reviews", "topics", "projections", "commands"])
    parser.add_argument("reviews", nargs="?", type=Path)
    parser.add_argument("--shared", type=Path)
    parser.add_argument("--work", type=Path, default=Path(".bench/space"))
    parser.add_argument("--embedder", default="bilingual")
    parser.add_argument("--bertopic", help="the Python of an environment that has BERTopic")
    parser.add_argument("--index")
    parser.add_argument("--sizes", default="")
    parser.add_argument("--only", default="", help="commands, as in map,topics")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",") if size]
    match given.what:
        case "reviews":
            reviews(given.reviews, given.work, given.embedder)
        case "topics":
            topics(given.reviews, given.shared, given.work, given.embedder, given.bertopic)
        case "projections":
            projections(given.index, sizes or [1000, 10_000, 100_000])
        case "commands":
            commands(given.index, given.work, sizes or [10_000, 100_000], given.only)


if __name__ == "__main__":
    main()
