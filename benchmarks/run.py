"""Measure ragstone beside its peers: `python -m benchmarks.run`, or `make bench`. README.md says how."""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import engines, machine, measure, report, results, work
from benchmarks.engines import DEFAULT, ENGINES, HERE, QUICK, ROOT, Engine
from benchmarks.work import Work
from rag.evaluation.metrics import ndcg

WORKS = ("vue", "scifact", "chunks")
QUICK_WORK = "scifact:300"
PHASES = ("ingest", "second", "cold", "warm")
WARM = 200
"""Different questions of a warm run."""


@dataclass(slots=True)
class Bench:
    """One invocation: where things lie, what is known, and how often each thing is measured."""

    options: argparse.Namespace
    results: results.Results
    environment: dict[str, str]

    def measure(self, name: str) -> None:
        """Every phase of the work called `name`, engines in turn."""
        todo = work.prepare(name, self.options.shared, self.options.cache, self.environment)
        names = [n for n in self.options.only if not ENGINES[n].refresh or name.startswith("vue")]
        for phase in self.options.phases:
            if phase == "second" and (todo.given or not name.startswith("vue")):
                continue  # what a second run costs is asked of the folder of many files
            for run in range(self._runs(phase)):
                for engine in names[run % len(names) :] + names[: run % len(names)]:
                    self._one(todo, engine, phase, run)

    def _runs(self, phase: str) -> int:
        return int(self.options.ingest_runs if phase in {"ingest", "second"} else self.options.query_runs)

    def _one(self, todo: Work, name: str, phase: str, run: int) -> None:
        """One row, unless it is there already; a failure is a row too."""
        engine = ENGINES[name]
        index = self._index(todo, name, phase, run)
        if engine.refresh and phase in {"cold", "warm"}:
            return
        if self.results.has(todo.name, name, phase, run) and (phase != "ingest" or run or index.exists()):
            return
        say(f"{time.strftime('%H:%M:%S')} {todo.name} {name} {phase} {run} ... ", end="")
        row = {"work": todo.name, "engine": name, "phase": phase, "run": run}
        began, load = time.perf_counter(), round(os.getloadavg()[0], 2)
        try:
            row |= getattr(self, f"_{phase}")(todo, engine, index, run)
        except (measure.Failed, subprocess.CalledProcessError) as exc:
            row["error"] = str(exc)
        finished = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.results.add({**row, "load": load, "at": finished})
        say(f"{time.perf_counter() - began:.1f} s {row.get('error', '')}")

    def _index(self, todo: Work, name: str, phase: str, run: int) -> Path:
        """The first run's index stays for the questions; those of later runs and of second runs are others."""
        extra = f".{run}" if phase == "ingest" and run else ""
        return self.options.cache / "indexes" / f"{todo.name.replace(':', '-')}.{name}{extra}"

    def _process(self, engine: Engine, *arguments: str) -> measure.Measured:
        interpreter = engines.python(engine, self.options.venvs)
        command = engines.command(engine, interpreter, *arguments)
        return measure.run(command, self.environment, self.options.cache / "stderr.log")

    def _ingest(self, todo: Work, engine: Engine, index: Path, run: int) -> dict[str, Any]:
        shutil.rmtree(index, ignore_errors=True)
        index.parent.mkdir(parents=True, exist_ok=True)
        done = self._process(engine, "build" if todo.given else "ingest", str(todo.folder), str(index))
        size = sum(path.stat().st_size for path in index.rglob("*") if path.is_file())
        if run:
            shutil.rmtree(index)
        found = {"seconds": done.seconds, "peak": done.peak, "chunks": done.result["chunks"], "bytes": size}
        return found | ({"build": done.result["seconds"]} if todo.given else {})

    def _second(self, todo: Work, engine: Engine, index: Path, _run: int) -> dict[str, Any]:
        """The same command again. A script without upsert makes its index anew, elsewhere."""
        target = index if engine.keeps else index.with_name(index.name + ".second")
        shutil.rmtree(index.with_name(index.name + ".second"), ignore_errors=True)
        done = self._process(engine, "ingest", str(todo.folder), str(target))
        shutil.rmtree(index.with_name(index.name + ".second"), ignore_errors=True)
        return {"seconds": done.seconds, "peak": done.peak}

    def _cold(self, todo: Work, engine: Engine, index: Path, run: int) -> dict[str, Any]:
        from benchmarks.peers.common import read_lines

        question = read_lines(todo.questions)[run]["text"]
        done = self._process(engine, "cold", str(index), question)
        return {"seconds": done.seconds, "peak": done.peak}

    def _warm(self, todo: Work, engine: Engine, index: Path, run: int) -> dict[str, Any]:
        deep = "deep" if todo.qrels and not run else "-"
        done = self._process(engine, "warm", str(index), str(todo.questions), str(WARM), deep)
        took = done.result["milliseconds"]
        row = {"questions": len(took), "peak": done.peak}
        row |= {"p50": results.percentile(took, 0.5), "p95": results.percentile(took, 0.95)}
        found = done.result["found"]
        if found:
            grades = [ndcg(found.get(question, []), relevant) for question, relevant in todo.qrels.items()]
            row["ndcg"] = sum(grades) / len(grades)
        return row


def say(text: str, end: str = "\n") -> None:
    """Progress, on stderr."""
    print(text, end=end, file=sys.stderr, flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options, lists split and defaults filled in."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    p.add_argument("--only", help=f"engines, of {', '.join(ENGINES)}; default: all but llamaindex-own")
    p.add_argument("--work", help="of vue, scifact, chunks; vue:20, scifact:100, chunks:2000 take a part")
    p.add_argument("--phases", help=f"of {', '.join(PHASES)}")
    p.add_argument("--runs", type=int, default=3, help="how often everything is measured [3]")
    p.add_argument("--ingest-runs", type=int, help="ingests and second runs alone")
    p.add_argument("--query-runs", type=int, help="cold and warm questions alone")
    p.add_argument("--fresh", action="store_true", help="measure again what is in the results")
    p.add_argument("--quick", action="store_true", help="under three minutes: two peers, 300 abstracts, one run")
    p.add_argument("--no-embedding", action="store_true", help="leave out the comparison of embedders alone")
    p.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder with files/ and eval/")
    p.add_argument("--cache", type=Path, default=ROOT / ".bench", help="works, indexes, logs")
    p.add_argument("--venvs", type=Path, default=ROOT / ".venv-bench", help="the peers' environments")
    p.add_argument("--results", type=Path, help="default: benchmarks/results.json, RESULTS.md beside it")
    options = p.parse_args(arguments)
    return _defaults(options, p)


def _defaults(o: argparse.Namespace, parser: argparse.ArgumentParser) -> argparse.Namespace:
    o.only = o.only.split(",") if o.only else QUICK if o.quick else DEFAULT
    o.work = o.work.split(",") if o.work else [QUICK_WORK] if o.quick else list(WORKS)
    o.phases = o.phases.split(",") if o.phases else list(PHASES)
    if unknown := set(o.only) - set(ENGINES) or set(o.phases) - set(PHASES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    o.runs = 1 if o.quick else o.runs
    o.ingest_runs, o.query_runs = o.ingest_runs or o.runs, o.query_runs or o.runs
    o.shared, o.cache, o.venvs = o.shared.resolve(), o.cache.resolve(), o.venvs.resolve()
    o.results = o.results or (o.cache / "quick.json" if o.quick else HERE / "results.json")
    o.fresh = o.fresh or o.quick
    return o


def facts() -> Iterator[tuple[str, Any]]:
    """What holds for all rows of this session."""
    yield "date", datetime.datetime.now(datetime.UTC).date().isoformat()
    git = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    yield "ragstone", git.stdout.strip() or "unknown"
    yield "machine", machine.description()
    wanted = {path.stem: path.read_text().split() for path in sorted((HERE / "requirements").glob("*.txt"))}
    yield "versions", wanted


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    if not (options.shared / "eval").is_dir():
        raise SystemExit(f"{options.shared} has no eval/: name the folder with --shared or SHARED=")
    bench = Bench(options, results.Results.read(options.results), engines.environment(engines.model_folder()))
    if options.fresh:
        bench.results.drop(options.work, options.only)
    bench.results.facts |= dict(facts())
    for name in options.only:
        engines.python(ENGINES[name], options.venvs)
    # The graphs are written from the weights at first use: that is part of the set-up.
    subprocess.run([sys.executable, "-m", "benchmarks.embedding", "warm-up"], env=bench.environment, check=True)
    for name in options.work:
        bench.measure(name)
    if not options.quick and not options.no_embedding:
        qrels = options.shared / work.SCIFACT / "qrels.tsv"
        command = [sys.executable, "-m", "benchmarks.embedding"]
        command += [str(options.results), str(options.cache), str(qrels)]
        subprocess.run(command, env=bench.environment, check=True)
        subprocess.run(
            [sys.executable, "-m", "benchmarks.machine", str(options.results)], env=bench.environment, check=True
        )
    text = report.render(results.Results.read(options.results), HERE / "SCALE.md")
    if options.quick:
        print(text)
    else:
        options.results.with_name("RESULTS.md").write_text(text, encoding="utf-8")
        say(f"wrote {options.results.with_name('RESULTS.md')}")


if __name__ == "__main__":
    main()
