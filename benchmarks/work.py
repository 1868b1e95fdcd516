"""The work that every engine is given: folders of files with questions, and chunks with vectors.

Texts are copied from the folder that `--shared` names into the cache; nothing of them is kept here.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

CHUNKS = 100_000
SCIFACT = "eval/scifact"
VUE = ("vue-zh", "vue-en")

Qrels = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Work:
    """`folder` holds the files (or, if `given`, chunks and vectors), `questions` one JSON object a line.

    `qrels` are there where the answers are known, by question and document.
    """

    name: str
    folder: Path
    questions: Path
    given: bool = False
    qrels: Qrels = field(default_factory=dict)


def prepare(name: str, shared: Path, cache: Path, environment: dict[str, str]) -> Work:
    """The work called `name`: vue, scifact or chunks, with ":N" for only N files, abstracts or chunks."""
    kind, _, count = name.partition(":")
    home = cache / "works" / name.replace(":", "-")
    most = int(count) if count else None
    match kind:
        case "vue":
            _once(home, lambda folder: _vue(shared, folder, most))
            return Work(name, home / "files", home / "questions.jsonl")
        case "scifact":
            _once(home, lambda folder: _scifact(shared, folder, most))
            qrels = {} if most else read_qrels(shared / SCIFACT / "qrels.tsv")
            return Work(name, home / "files", home / "questions.jsonl", qrels=qrels)
        case "chunks":
            sources = [prepare(other, shared, cache, environment) for other in ("scifact", "vue")]
            _once(home, lambda folder: _chunks(sources, folder, most or CHUNKS, environment))
            return Work(name, home, sources[0].questions, given=True)
        case _:
            raise SystemExit(f"no work is called {name!r}: use vue, scifact or chunks, with :N for a part")


def _once(home: Path, make: Callable[[Path], None]) -> None:
    """What `make` writes into a folder, whole or not at all."""
    if home.exists():
        return
    unfinished = home.with_name(home.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    make(unfinished)
    unfinished.rename(home)


def _vue(shared: Path, home: Path, most: int | None) -> None:
    paths = [path for folder in VUE for path in sorted((shared / "files" / folder).rglob("*.md"))]
    step = max(len(paths) // most, 1) if most else 1
    for path in paths[::step]:
        target = home / "files" / path.relative_to(shared / "files")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    titles = headings(sorted((home / "files").rglob("*.md")))
    write_lines(home / "questions.jsonl", ({"_id": str(n), "text": title} for n, title in enumerate(titles)))


def headings(paths: Iterable[Path], most: int = 300) -> list[str]:
    """Different headings of Markdown files, spread over all of them."""
    found = {}
    for path in paths:
        for title in re.findall(r"^#{1,4} +(.+?)(?: *\{#.*\})?$", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[title] = None
    titles = list(found)
    step = max(len(titles) / most, 1)
    return [titles[int(n * step)] for n in range(min(most, len(titles)))]


def _scifact(shared: Path, home: Path, most: int | None) -> None:
    (home / "files").mkdir()
    with (shared / SCIFACT / "corpus.jsonl").open(encoding="utf-8") as lines:
        for n, line in enumerate(lines):
            if most is not None and n >= most:
                break
            row = json.loads(line)
            path = home / "files" / f"{row['_id']}.txt"
            path.write_text(f"{row['title']} {row['text']}", encoding="utf-8")
    shutil.copyfile(shared / SCIFACT / "queries.jsonl", home / "questions.jsonl")


def read_qrels(path: Path) -> Qrels:
    """Grades by question and document."""
    found: Qrels = {}
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            found.setdefault(row["query-id"], {})[row["corpus-id"]] = float(row["score"])
    return found


def _chunks(sources: list[Work], home: Path, count: int, environment: dict[str, str]) -> None:
    """In a process of its own: a process that starts others must be small for their peaks to be their own."""
    folders = [str(work.folder) for work in sources]
    command = [sys.executable, "-m", "benchmarks.vectors", str(home), str(count), *folders]
    subprocess.run(command, env=environment, check=True)


def write_lines(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
