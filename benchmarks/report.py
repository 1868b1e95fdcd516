"""RESULTS.md from results.json: medians with their extremes, and ratios to ragstone with the same weights.

`python -m benchmarks.report [results.json]` writes it again without measuring.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.engines import ENGINES, HERE
from benchmarks.results import Figure, Results

BASE = "ragstone"
OPERATIONS = 2 * 6 * (4 * 384 * 384 + 2 * 384 * 1536)
"""Of all-MiniLM-L6-v2 a token, in its matrix products with weights: six layers, attention's own left out."""

Column = tuple[str, str, str, float, str]
"""Title, phase, name of the figure, what it is divided by, format."""

INGEST: tuple[Column, ...] = (
    ("start to saved index, s", "ingest", "seconds", 1, ".1f"),
    ("peak, MB", "ingest", "peak", 1e6, ".0f"),
    ("index, MB", "ingest", "bytes", 1e6, ".0f"),
)
QUESTIONS: tuple[Column, ...] = (
    ("cold, s", "cold", "seconds", 1, ".2f"),
    ("warm p50, ms", "warm", "p50", 1, ".1f"),
    ("warm p95, ms", "warm", "p95", 1, ".1f"),
    ("peak, MB", "warm", "peak", 1e6, ".0f"),
)
WORKS = {
    "vue": "(a) Markdown documentation, Chinese and English, 237 files",
    "scifact": "(b) scifact, 5,183 abstracts",
    "chunks": "(c) 100,000 chunks with given vectors: index and search alone",
}


def render(results: Results, scale: Path) -> str:
    """The whole document; `scale` is another document that is taken in if it is there."""
    parts = [*_head(results)]
    for work in dict.fromkeys(row["work"] for row in results.rows):
        kind, _, part = work.partition(":")
        title = WORKS.get(kind, kind) + (f" (only {part})" if part else "")
        parts += ["", f"## {title}", "", *_ingest(results, work), "", *_questions(results, work)]
    parts += _embedding(results)
    parts += _limits(results)
    if scale.exists():
        parts += ["", scale.read_text(encoding="utf-8").strip()]
    if failed := list(results.errors()):
        parts += ["", "## What failed", ""]
        parts += [f"- {row['work']}, {row['engine']}, {row['phase']}: {row['error']}" for row in failed]
    return "\n".join(parts) + "\n"


def _head(results: Results) -> Iterator[str]:
    facts = results.facts
    machine = facts.get("machine", {})
    yield "# Results"
    yield ""
    yield "Written by `make bench` from `results.json`; README.md says what is measured and how."
    yield "Medians; the least and the most of the runs in brackets where there was more than one."
    yield f"× is the figure as a multiple of that of “{ENGINES[BASE].title}”, in the same session."
    yield ""
    yield f"- {facts.get('date', '')}, ragstone {facts.get('ragstone', '')}"
    yield (
        f"- {machine.get('processor')}, {machine.get('cores')} cores ({', '.join(machine.get('kernels', []))}), "
        f"{machine.get('memory')} of memory, Python {machine.get('python')}, {machine.get('system')}"
    )
    loads = [row["load"] for row in results.rows if "load" in row]
    if loads:
        yield f"- load of the machine when a run began: {min(loads)} to {max(loads)} (its own runs are part of it)"
    for peer, versions in facts.get("versions", {}).items():
        yield f"- {peer}: {', '.join(version.replace('==', ' ') for version in versions)}"


def _ingest(results: Results, work: str) -> Iterator[str]:
    given = any(results.values(work, engine, "ingest", "build") for engine in ENGINES)
    first: Column = ("build, s", "ingest", "build", 1, ".1f")
    columns = ((first, *INGEST[1:]) if given else INGEST) + (
        (("second run, s", "second", "seconds", 1, ".1f"),) if _has(results, work, "second") else ()
    )
    yield from _table(results, work, columns, "chunks", rate="build" if given else "seconds")


def _questions(results: Results, work: str) -> Iterator[str]:
    if not _has(results, work, "warm"):
        return
    graded = any(results.values(work, engine, "warm", "ndcg") for engine in ENGINES)
    ndcg: Column = ("nDCG@10", "warm", "ndcg", 1, ".3f")
    yield from _table(results, work, (*QUESTIONS, ndcg) if graded else QUESTIONS, None)


def _table(
    results: Results, work: str, columns: Sequence[Column], counted: str | None, rate: str = "seconds"
) -> Iterator[str]:
    """One line an engine; × after every time, against the base's."""
    titles = ["", *([counted, f"{counted}/s"] if counted else []), *(column[0] for column in columns)]
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    for name, engine in ENGINES.items():
        figures = [Figure.of(results.values(work, name, phase, key)) for _, phase, key, _, _ in columns]
        if not any(figures):
            continue
        cells = [engine.title]
        if counted:
            count, seconds = (Figure.of(results.values(work, name, "ingest", key)) for key in (counted, rate))
            cells += (
                [f"{count.median:,.0f}", f"{count.median / seconds.median:,.0f}"]
                if count and seconds
                else ["", ""]
            )
        for column, figure in zip(columns, figures, strict=True):
            cells.append(_cell(column, figure, Figure.of(results.values(work, BASE, column[1], column[2]))))
        yield f"| {' | '.join(cells)} |"


def _cell(column: Column, figure: Figure | None, base: Figure | None) -> str:
    title, _, _, unit, form = column
    if figure is None:
        return ""
    text = format(figure.median / unit, form)
    if figure.least != figure.most:
        text += f" ({format(figure.least / unit, form)}–{format(figure.most / unit, form)})"
    if base and title.endswith((" s", "ms")):
        text += f", {figure.median / base.median:.1f}×"
    return text


def _has(results: Results, work: str, phase: str) -> bool:
    return any(row["work"] == work and row["phase"] == phase for row in results.rows)


def _embedding(results: Results) -> Iterator[str]:
    found = results.facts.get("embedding")
    if not found:
        return
    rows = found["rounds"]
    ours, theirs, ratio = (Figure.of([row[name] for row in rows]) for name in ("ours", "theirs", "ratio"))
    if not (ours and theirs and ratio):
        return
    each = ", ".join(format(row["ratio"], ".2f") for row in rows)
    yield from ("", "## Embedding alone, all-MiniLM-L6-v2", "")
    yield (
        f"{found['texts']:,} abstracts, each in a process of its own, in turn: {ours.median:,.0f} tokens/s, "
        f"`SentenceTransformer.encode` in fp32 {theirs.median:,.0f}. "
        f"The ratio of each round: {each} (median {ratio.median:.2f})."
    )
    mean, least = (found["cosine"][name] for name in ("mean", "least"))
    yield f"Cosine between the two: {mean:.4f} in the mean, {least:.4f} at the least."
    if quality := found.get("quality"):
        yield (
            f"nDCG@10 on scifact by dense search alone: {quality['ndcg ours']:.4f}, "
            f"in fp32 {quality['ndcg theirs']:.4f}."
        )


def _limits(results: Results) -> Iterator[str]:
    peaks = results.facts.get("peaks")
    if not peaks:
        return
    yield from ("", "## What the machine could do", "")
    yield (
        f"A matrix product of 2,048 × 2,048: int8 {peaks['int8']:,.0f}, bf16 {peaks['bf16']:,.0f}, "
        f"fp32 {peaks['fp32']:,.0f} billion operations a second. "
        f"Memory: {peaks['read']:.1f} GB/s read, {peaks['copy']:.1f} GB/s copied (read and written)."
    )
    rows = results.facts.get("embedding", {}).get("rounds")
    if rows:
        speed = Figure.of([row["ours"] for row in rows])
        assert speed is not None
        share = speed.median * OPERATIONS / 1e9 / peaks["int8"]
        yield (
            f"Embedding takes {OPERATIONS / 1e6:.1f} million operations a token in products with weights: "
            f"{speed.median:,.0f} tokens/s are {share:.0%} of the int8 peak."
        )
    for work in dict.fromkeys(row["work"] for row in results.rows):
        p50 = Figure.of(results.values(work, BASE, "warm", "p50"))
        count = Figure.of(results.values(work, BASE, "ingest", "chunks"))
        if p50 and count:
            least = 1000 * count.median * 384 * 4 / 1e9 / peaks["read"]
            yield (
                f"- {work}: reading all {count.median:,.0f} vectors in fp32 once takes {least:.2f} ms at that "
                f"bandwidth; a warm question, embedded and searched in both ways, takes {p50.median:.1f} ms."
            )


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results.json"
    text = render(Results.read(path), HERE / "SCALE.md")
    path.with_name("RESULTS.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
