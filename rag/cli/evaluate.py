"""`rag eval`: search and answers measured on a folder of questions and answers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from rag.cli.help import Sections
from rag.cli.screen import is_terminal, options, say, show, show_json

if TYPE_CHECKING:
    from rag.answering.answerer import Answerer
    from rag.evaluation.beir import Beir


@click.group(
    "eval",
    cls=Sections,
    help=say("Measure search and answers on questions of yours.", "用您自己的问题评测检索和回答。"),
)
def evaluate() -> None:
    pass


@evaluate.command(
    help=say(
        "Measure search: nDCG, recall and MRR. DIR is a BEIR folder (corpus.jsonl, queries.jsonl, qrels.tsv), "
        "ingested and searched as everything is.",
        "评测检索：nDCG、召回率与 MRR。DIR 是 BEIR 格式的文件夹（corpus.jsonl、queries.jsonl、qrels.tsv），"
        "按实际流程导入和检索。",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options("embedder", "json")
@click.option("--limit", type=click.IntRange(1), help=say("Only the first N queries.", "只取前 N 个问题。"))
@click.option("--chunk-tokens", type=int, help=say("The most tokens of a chunk.", "每个片段的最大词元数。"))
def retrieval(
    folder: Path, embedder: str | None, as_json: bool, limit: int | None, chunk_tokens: int | None
) -> None:
    from rag.cli.bars import download_bar
    from rag.config import DEFAULT_EMBEDDER, load_settings
    from rag.embedders import load_embedder
    from rag.evaluation.retrieval import evaluate_retrieval

    settings = load_settings({"embedder": embedder, "chunk_tokens": chunk_tokens})
    with download_bar():
        figures = evaluate_retrieval(folder, load_embedder(settings.embedder or DEFAULT_EMBEDDER), settings, limit)
    if as_json:
        show_json(figures)
        return
    for name, value in figures.items():
        show(f"{name:<14} {value:.4f}" if isinstance(value, float) else f"{name:<14} {value}")


@evaluate.command(
    help=say(
        "Measure answers: right, cited, refused. DIR is a BEIR folder whose queries have answers; each is asked "
        "again with its documents hidden. Queries with `type`, `references` or `unanswerable` are asked once, and "
        "the figures come by kind.",
        "评测回答：答对、引用、拒答。DIR 是 BEIR 格式的文件夹，其中的问题带有答案；每题在隐藏相关文档后再问一次，"
        "此时应拒答。问题若带有 `type`、`references` 或 `unanswerable`，则只问一次，按类型给出结果。",
    )
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options("embedder", "llm", "strictness", "json")
@click.option(
    "--limit",
    type=click.IntRange(1),
    help=say("Only N questions (of each kind), drawn at random.", "只随机抽取（每类）N 个问题。"),
)
@click.option("--seed", type=int, default=0, help=say("The seed of the draw.", "抽样种子。"))
@click.option(
    "--baseline",
    is_flag=True,
    help=say("Measure the naive way too: three passages, one prompt.", "同时评测朴素做法：三个段落，一次提问。"),
)
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path),
    help=say("Write every answer into this CSV file.", "把每个回答写入该 CSV 文件。"),
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
    from rag.cli.bars import download_bar
    from rag.config import DEFAULT_EMBEDDER, load_settings
    from rag.embedders import load_embedder
    from rag.evaluation.answers import curve, figures, naive, run, sample, write_table
    from rag.evaluation.beir import index_beir, read_beir
    from rag.evaluation.kinds import has_kinds
    from rag.llms import load_llm
    from rag.stores import open_store

    settings = load_settings({"embedder": embedder, "llm": llm, "strictness": strictness})
    beir = read_beir(folder)
    by_kind = has_kinds([*beir.queries, *beir.unanswerable])
    queries = sample(beir, limit, seed)
    with download_bar(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        model = load_embedder(settings.embedder or DEFAULT_EMBEDDER)
        store = open_store(f"faiss:{scratch}/index")
        index_beir(store, model, beir, settings)
        answerer = Answerer(store, model, load_llm(settings.llm, settings.answer_seconds), settings)
        if by_kind:
            _by_kind(answerer, beir, limit, seed, baseline, as_json)
            return
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


def _by_kind(answerer: Answerer, beir: Beir, limit: int | None, seed: int, baseline: bool, as_json: bool) -> None:
    """The figures by kind of question, a line a kind; of the naive way as well where `baseline`."""
    import random

    from rag.evaluation.answers import naive
    from rag.evaluation.kinds import figures_by_kind, run_by_kind, sample_by_kind

    drawn = sample_by_kind([*beir.queries, *beir.unanswerable], limit, random.Random(seed).sample)  # noqa: S311 - no secret
    result = {
        name: figures_by_kind(list(_counted(run_by_kind(answerer, drawn, beir.relevance, ask), len(drawn))))
        for name, ask in (("ragstone", None), ("naive", naive))
        if ask is None or baseline
    }
    if as_json:
        show_json(result)
        return
    for name, kinds in result.items():
        show(name, bold=True)
        for kind, figures in kinds.items():
            show(f"  {kind:<42} " + "  ".join(f"{key} {value}" for key, value in figures.items()))


_Item = TypeVar("_Item")


def _counted(cases: Iterable[_Item], total: int) -> Iterator[_Item]:
    """`cases`, with a bar on the terminal's stderr."""
    with click.progressbar(cases, length=total, file=sys.stderr, hidden=not is_terminal(sys.stderr)) as bar:
        yield from bar
