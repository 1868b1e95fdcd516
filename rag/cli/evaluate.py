"""`rag eval`: how good is it, on a folder of the user's with questions and their answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.screen import is_terminal, options, say, show, show_json

if TYPE_CHECKING:
    from rag.evaluation.answers import Case


@click.group("eval", help=say("Measure retrieval on a BEIR folder.", "在 BEIR 格式的文件夹上评测检索。"))
def evaluate() -> None:
    pass


@evaluate.command(
    help=say(
        "nDCG, recall and MRR over DIR (corpus.jsonl, queries.jsonl, qrels.tsv), as ingest and search work.",
        "按导入与检索的实际流程，在 DIR（corpus.jsonl、queries.jsonl、qrels.tsv）上计算 nDCG、召回率与 MRR。",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options("embedder", "json")
@click.option("--limit", type=click.IntRange(1), help=say("Only the first N queries.", "只取前 N 个问题。"))
@click.option("--chunk-tokens", type=int, help=say("The most tokens of a chunk.", "每个片段的最大词元数。"))
def retrieval(
    folder: Path, embedder: str | None, as_json: bool, limit: int | None, chunk_tokens: int | None
) -> None:
    from rag.cli.bars import fetching
    from rag.config import DEFAULT_EMBEDDER, load_settings
    from rag.embedders import load_embedder
    from rag.evaluation.retrieval import evaluate_retrieval

    settings = load_settings({"embedder": embedder, "chunk_tokens": chunk_tokens})
    with fetching():
        figures = evaluate_retrieval(folder, load_embedder(settings.embedder or DEFAULT_EMBEDDER), settings, limit)
    if as_json:
        show_json(figures)
        return
    for name, value in figures.items():
        show(f"{name:<14} {value:.4f}" if isinstance(value, float) else f"{name:<14} {value}")


@evaluate.command(
    help=say(
        "Answers over a BEIR folder DIR whose queries carry answers; each again with its documents hidden.",
        "在带有答案的 BEIR 文件夹 DIR 上评测回答；每题在隐藏相关文档后再问一次，此时应拒答。",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options("embedder", "llm", "strictness", "json")
@click.option("--limit", type=click.IntRange(1), help=say("N questions.", "取 N 个问题。"))
@click.option("--seed", type=int, default=0, help=say("Which ones.", "抽样种子。"))
@click.option("--baseline", is_flag=True, help=say("The naive path too, in the same run.", "同时评测朴素做法。"))
@click.option(
    "--csv", "table", type=click.Path(path_type=Path), help=say("Write every case there.", "把每一例写入该文件。")
)
def answers(
    folder: Path,
    embedder: str | None,
    llm: str | None,
    strictness: float | None,
    as_json: bool,
    limit: int | None,
    seed: int,
    baseline: bool,
    table: Path | None,
) -> None:
    import tempfile

    from rag.answering.answerer import Answerer
    from rag.cli.bars import fetching
    from rag.config import DEFAULT_EMBEDDER, load_settings
    from rag.embedders import load_embedder
    from rag.evaluation.answers import curve, figures, naive, run, sample, write_table
    from rag.evaluation.beir import index_beir, read_beir
    from rag.llms import load_llm
    from rag.stores import open_store

    settings = load_settings({"embedder": embedder, "llm": llm, "strictness": strictness})
    beir = read_beir(folder)
    queries = sample(beir, limit, seed)
    with fetching(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        model = load_embedder(settings.embedder or DEFAULT_EMBEDDER)
        store = open_store(f"faiss:{scratch}/index")
        index_beir(store, model, beir, settings)
        answerer = Answerer(store, model, load_llm(settings.llm), settings)
        cases = list(_counted(run(answerer, beir, queries), 2 * len(queries)))
        result: dict[str, object] = {**figures(cases), "curve": curve(cases, settings.strictness)}
        if baseline:
            plain = list(_counted(run(answerer, beir, queries, naive), 2 * len(queries)))
            result["baseline"] = figures(plain)
        store.close()
    if table:
        write_table(table, cases)
    if as_json:
        show_json(result)
        return
    for name, value in result.items():
        show(f"{name:<20} {value}")


def _counted(cases: Iterable[Case], total: int) -> Iterator[Case]:
    """`cases`, with a bar on the terminal's stderr."""
    with click.progressbar(cases, length=total, file=sys.stderr, hidden=not is_terminal(sys.stderr)) as bar:
        yield from bar
