"""How good are the answers? `rag eval answers` on sets of questions, and their figures as ANSWERS.md.

    python benchmarks/answers.py FOLDER [--limit 100] [--per-kind 12] [--seed 27] [--only SET]…

FOLDER holds the sets in BEIR layout; of those whose questions have a kind, --per-kind of each are drawn, and the
naive path (three whole passages in one prompt) answers the same questions in the same run. What has been measured
is kept in answers.json beside this file and not measured again, unless the sample is another (--limit, --seed) or
--fresh is given; with --cases OUT every case is written to OUT/SET.csv, for a person to read.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).parent
SETS = ("xquad-en", "xquad-zh", "cmrc2018-trial")
KINDS = ("dragonball-dev-en", "dragonball-dev-zh")
COLUMNS = {
    "n": "questions",
    "good": "good",
    "refused": "refused",
    "wrong_document": "citations of a wrong document",
    "first_token_p50": "first words, s",
    "seconds_p50": "whole answer, s",
}
ROWS = {
    "answer_recall": "the answer contains a gold answer, to the letter",
    "short_recall": "its short form alone contains one",
    "f1": "F1 of its short form",
    "em": "exact match of the short form",
    "citation_precision": "citations of a passage that answers",
    "quotation_precision": "citations whose quoted sentence holds the answer",
    "citation_recall": "questions with a right citation",
    "false_refusal": "refused wrongly",
    "right_refusal": "refused rightly (documents hidden)",
    "ttft_p50": "first words, median seconds",
    "seconds_p50": "whole answer, median seconds",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--seed", type=int, default=27)
    parser.add_argument("--only", action="append", choices=(*SETS, *KINDS))
    parser.add_argument("--per-kind", type=int, default=12)
    parser.add_argument("--cases", type=Path, help="a folder for the CSV files")
    parser.add_argument("--baseline", action="store_true", help="the naive path as well, in the same run")
    parser.add_argument("--fresh", action="store_true")
    args = parser.parse_args()
    kept = HERE / "answers.json"
    results = {} if args.fresh or not kept.is_file() else json.loads(kept.read_text())
    for name in args.only or (*SETS, *KINDS):
        sample = {"seed": args.seed, "limit": args.per_kind if name in KINDS else args.limit}
        if not sample.items() <= results.get(name, {}).items():
            print(name, file=sys.stderr)
            results[name] = measured(args, name) | sample | {"date": date.today().isoformat()}
            kept.write_text(json.dumps(results, indent=1) + "\n")
    (HERE / "ANSWERS.md").write_text(report(results), encoding="utf-8")


def measured(args: argparse.Namespace, name: str) -> dict[str, object]:
    """What `rag eval answers` says of one set."""
    rag = "from rag.cli import main; main()"
    command = [sys.executable, "-c", rag, "eval", "answers", str(args.folder / name)]
    limit = args.per_kind if name in KINDS else args.limit
    command += ["--limit", str(limit), "--seed", str(args.seed), "--json"]
    if args.baseline or name in KINDS:
        command += ["--baseline"]
    if args.cases and name not in KINDS:
        args.cases.mkdir(parents=True, exist_ok=True)
        command += ["--csv", str(args.cases / f"{name}.csv")]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    result: dict[str, object] = json.loads(said)
    return result


def report(results: dict[str, dict]) -> str:
    """The figures as Markdown."""
    names = [name for name in SETS if name in results]
    lines = [
        "# Answers, measured",
        "",
        "Made by `make eval`: the default embedder and the default local model (1.5 billion parameters, 4 bits)",
        f"on {os.cpu_count()} processors ({platform.machine()}). Each question of these public sets is asked with",
        "everything there, and again with the documents that answer it hidden, when it has to be refused.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
        f"| questions (seed) | {' | '.join('{n} ({seed})'.format(**results[n]) for n in names)} |",
    ]
    for key, words in ROWS.items():
        values = [f"{results[name][key]:.2f}" + _naive(results[name], key) for name in names]
        lines.append(f"| {words} | {' | '.join(values)} |")
    if any("baseline" in results[name] for name in names):
        lines += ["", "In brackets: the naive path (three whole passages in one prompt) with the same model."]
    lines += [
        "",
        "## The choice between both mistakes",
        "`--strictness` is the confidence below which an answer is refused (default 0.5). Refused wrongly /",
        "rightly at other settings; below 0.5 a bound, since the checks of the answer itself come on top:",
        "",
        f"| strictness | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    curves = [{at: (wrong, right) for at, wrong, right in results[name]["curve"]} for name in names]
    for at in curves[0] if curves else ():
        lines.append(f"| {at} | {' | '.join('{:.2f} / {:.2f}'.format(*curve[at]) for curve in curves)} |")
    for name in KINDS:
        if name in results:
            lines += _by_kind(name, results[name])
    return "\n".join(lines) + "\n"


def _by_kind(name: str, result: dict) -> list[str]:
    """The table of a set whose questions have a kind; in brackets the naive path."""
    lines = [
        "",
        f"## {name}, seed {result['seed']}",
        "Good: from no wrong document, with half of the words and all numbers of a short known answer, or .4 of",
        "the words of a longer one; an unanswerable one refused. In brackets the naive path: three passages in",
        "one prompt, with the same model and index in the same run.",
        "",
        f"| | {' | '.join(COLUMNS.values())} |",
        f"|---|{'---|' * len(COLUMNS)}",
    ]
    for kind, figures in result["ragstone"].items():
        naive = result.get("naive", {}).get(kind, {})
        cells = [f"{figures[key]}" + (f" ({naive[key]})" if naive and key != "n" else "") for key in COLUMNS]
        lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(cells)} |")
    return lines


def _naive(result: dict, key: str) -> str:
    return f" ({result['baseline'][key]:.2f})" if "baseline" in result else ""


if __name__ == "__main__":
    main()
