"""The figures of `scale.py` as JSON, a Markdown table with exponents, and a log-log plot."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROWS = {
    "build_s": "build, s (vectors given)",
    "bytes": "on disk, MB",
    "memory_mb": "memory of searching, models aside, MB",
    "open_ms": "open and first search, ms",
    "dense_p50_ms": "dense p50, ms",
    "lexical_p50_ms": "lexical p50, ms",
    "lexical_p95_ms": "lexical p95, ms",
    "fused_p50_ms": "search p50 (embedding, both sides, fusing), ms",
    "fused_p95_ms": "search p95, ms",
    "change_ms": "one document of 25 chunks replaced, ms",
    "change_worst_ms": "the same, worst of 9, ms",
    "search_after_change_ms": "first search after it, ms",
    "recall@10": "recall@10 against exact",
}
_SEARCHES = ("dense_p50_ms", "lexical_p50_ms", "fused_p50_ms")
CURVES = ("build_s", "bytes", "memory_mb", "open_ms", *_SEARCHES, "change_ms")
_UNITS = {"bytes": 1e-6}
_FURTHEST = 10_000_000
_FLAT = ("change_ms",)  # the others are scans in the end, and are not extrapolated below a straight line


def report(table: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write `scale.json`, `scale.svg` and the table of `SCALE.md` (between its two marks)."""
    exponents = {name: _exponent(table, name) for name in CURVES}
    facts = {"figures": table, "exponents": exponents}
    (folder / "scale.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    page = folder / "SCALE.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- table -->\n")
    after = rest.partition("<!-- end -->\n")[2]
    text = f"{before}<!-- table -->\n{_markdown(table, exponents)}<!-- end -->\n{after}"
    page.write_text(text, encoding="utf-8")
    _plot(table, exponents, folder / "scale.svg")


def _exponent(table: Mapping[str, Mapping[str, Any]], name: str) -> float:
    """The slope between the two largest sizes: cost grows as the number of chunks to this power."""
    (a, small), (b, large) = list(table.items())[-2:]
    return math.log(large[name] / small[name]) / math.log(int(b) / int(a))


def _markdown(table: Mapping[str, Mapping[str, Any]], exponents: Mapping[str, float]) -> str:
    sizes = [f"{int(n):,}" for n in table]
    lines = [
        f"| | {' | '.join(sizes)} | exponent | {_FURTHEST:,} (by the exponent, at least 1) |",
        "|---" * (len(sizes) + 3) + "|",
    ]
    for name, words in ROWS.items():
        values = [each[name] * _UNITS.get(name, 1) for each in table.values()]
        grown = exponents.get(name)
        further = None
        if grown is not None:
            power = grown if name in _FLAT else max(grown, 1.0)
            further = values[-1] * (_FURTHEST / int(list(table)[-1])) ** power
        cells = [*map(_number, values), f"{grown:.2f}" if grown is not None else "", _number(further)]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value <= 1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _plot(table: Mapping[str, Mapping[str, Any]], exponents: Mapping[str, float], file: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "scale"
    from matplotlib import pyplot as plt

    sizes: Sequence[int] = [int(n) for n in table]
    figure, axes = plt.subplots(figsize=(7, 5))
    for name in CURVES:
        values = [each[name] * _UNITS.get(name, 1) for each in table.values()]
        axes.loglog(sizes, values, marker="o", label=f"{ROWS[name]}: n^{exponents[name]:.2f}")
    axes.set_xlabel("chunks")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
