"""The benchmarks' own arithmetic: what is cut, counted, kept and reported."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measure, report, run, vectors, work
from benchmarks.engines import ENGINES, HERE, command
from benchmarks.peers import common
from benchmarks.results import Figure, Results, percentile


def test_chinese_counts_as_four_and_nothing_is_lost() -> None:
    text = "苹果 " * 400 + "\n" + "word " * 500 + "\n\n" + "x" * 3000
    pieces = common.split(text)
    assert max(map(common.units, pieces)) <= common.SIZE
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert common.split("one\n\ntwo\n") == ["one\n\ntwo"]


def test_best_names_each_document_once_in_order() -> None:
    assert common.best(["f/b.txt", "f/a.txt", "f/b.txt", *(f"f/{n}.txt" for n in range(20))]) == [
        "b", "a", *map(str, range(8)),
    ]  # fmt: skip


def test_varied_chunks_all_differ_and_keep_most_words() -> None:
    texts = ["one two three four five six seven eight nine ten " * 5, "a b c d e f g h i j k l m n o p q r s t"]
    made = list(vectors.varied(texts, 50))
    assert len(set(made)) == 50
    same = [a == b for a, b in zip(texts[1].split(), made[1].split(), strict=False)]
    assert 0.8 < np.mean(same) < 1


def test_noise_leaves_unit_rows_near_the_real_ones() -> None:
    real = np.eye(3, 384, dtype=np.float32) + 0.05
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    made = vectors.noisy(real, 30)
    assert np.linalg.norm(made, axis=1) == pytest.approx(1, abs=1e-5)
    assert (made * real[np.arange(30) % 3]).sum(axis=1).mean() == pytest.approx(vectors.COSINE, abs=0.01)
    assert len(np.unique(made, axis=0)) == 30


def test_headings_are_spread_over_the_files(tmp_path: Path) -> None:
    for name in "ab":
        titles = "\n\ntext\n\n".join(f"## Title {name}{n} {{#anchor}}" for n in range(300))
        (tmp_path / f"{name}.md").write_text(titles, encoding="utf-8")
    titles = work.headings(sorted(tmp_path.iterdir()), 100)
    assert len(set(titles)) == 100
    assert titles[0] == "Title a0"
    assert sum("b" in title for title in titles) == 50


def test_a_folder_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    shared = tmp_path / "shared" / "eval" / "scifact"
    shared.mkdir(parents=True)
    (shared / "corpus.jsonl").write_text('{"_id": "7", "title": "T", "text": "B"}\nnot json\n')
    with pytest.raises(json.JSONDecodeError):
        work.prepare("scifact", tmp_path / "shared", tmp_path / "cache", {})
    assert not (tmp_path / "cache" / "works" / "scifact").exists()
    (shared / "queries.jsonl").write_text('{"_id": "1", "text": "Q"}\n')
    made = work.prepare("scifact:1", tmp_path / "shared", tmp_path / "cache", {})
    assert [path.read_text() for path in made.folder.iterdir()] == ["T B"]


def test_a_process_is_timed_to_its_first_line_and_its_memory_is_its_own(tmp_path: Path) -> None:
    code = "import time; x = bytearray(200_000_000); print('{\"n\": 3}', flush=True); time.sleep(0.5)"
    done = measure.run([sys.executable, "-c", code], {}, tmp_path / "log")
    assert done.result == {"n": 3}
    assert done.peak > 200_000_000
    with pytest.raises(measure.Failed, match="status 1: ValueError: no index"):
        measure.run([sys.executable, "-c", "raise ValueError('no index')"], {}, tmp_path / "log")


def test_results_go_on_where_they_were_and_try_again_what_failed(tmp_path: Path) -> None:
    kept = Results.read(tmp_path / "results.json")
    key = {"work": "vue", "engine": "floor", "phase": "ingest"}
    kept.add({**key, "run": 0, "seconds": 4.0})
    kept.add({**key, "run": 1, "error": "gone"})
    again = Results.read(tmp_path / "results.json")
    assert again.has("vue", "floor", "ingest", 0)
    assert not again.has("vue", "floor", "ingest", 1)
    again.add({**key, "run": 1, "seconds": 2.0})
    assert again.values("vue", "floor", "ingest", "seconds") == [4.0, 2.0]
    again.drop(["vue"], ["floor"])
    assert again.rows == []


def test_figures() -> None:
    assert Figure.of([3.0, 1.0, 2.0]) == Figure(2.0, 1.0, 3.0)
    assert Figure.of([]) is None
    assert percentile(range(1, 201), 0.5) == 100
    assert percentile(range(1, 201), 0.95) == 190


def test_the_report_gives_medians_extremes_and_ratios(tmp_path: Path) -> None:
    kept = Results(tmp_path / "results.json")
    for engine, seconds in (("ragstone", (2.0, 1.0, 3.0)), ("floor", (8.0, 8.0, 8.0))):
        for n, value in enumerate(seconds):
            row = {"work": "vue", "engine": engine, "phase": "ingest", "run": n, "chunks": 100}
            kept.add({**row, "seconds": value, "peak": 5e8, "bytes": 1e6})
    kept.add({"work": "vue", "engine": "txtai", "phase": "ingest", "run": 0, "error": "exit status 1: no"})
    text = report.render(kept, tmp_path / "SCALE.md")
    assert "| ragstone, same weights (hybrid) | 100 | 50 | 2.0 (1.0–3.0), 1.0× | 500 | 1 |" in text
    assert "| 100 | 12 | 8.0, 4.0× | 500 | 1 |" in text
    assert "- vue, txtai, ingest: exit status 1: no" in text
    (tmp_path / "SCALE.md").write_text("## Scale\n")
    assert report.render(kept, tmp_path / "SCALE.md").endswith(
        "## Scale\n\n## What failed\n\n" + text.split("\n")[-2] + "\n"
    )


def test_every_peer_has_a_script_and_pinned_versions_with_one_torch() -> None:
    for engine in ENGINES.values():
        assert (HERE / "peers" / f"{engine.module}.py").is_file()
        if not engine.own:
            lines = (HERE / "requirements" / f"{engine.module}.txt").read_text().split()
            assert lines[0] == "torch==2.13.0"
            assert all("==" in line for line in lines)


def test_ragstone_is_measured_by_its_real_commands() -> None:
    cold = command(ENGINES["ragstone"], "python", "cold", "index", "-1 what?")
    assert cold[3] == "search"
    assert cold[-2:] == ["--", "-1 what?"]
    assert command(ENGINES["langchain"], "python", "cold", "index", "q")[1:4] == [
        "-m", "benchmarks.peers.langchain", "default",
    ]  # fmt: skip


def test_runs_are_counted_apart(tmp_path: Path) -> None:
    options = run.parse(["--ingest-runs", "1", "--only", "floor,txtai", "--cache", str(tmp_path)])
    assert (options.ingest_runs, options.query_runs) == (1, 3)
    assert options.only == ["floor", "txtai"]
    quick = run.parse(["--quick", "--cache", str(tmp_path)])
    assert quick.results.parent == tmp_path  # never over the full results
    with pytest.raises(SystemExit):
        run.parse(["--only", "nobody"])
