"""`rag eval`: how good is it, on a folder of the user's with questions and their answers."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.screen import options, say, show_json


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
    from ingest.benchmark import evaluate_retrieval
    from rag.api import DEFAULT_EMBEDDER
    from rag.cli.models import fetching
    from rag.config import load_settings
    from rag.embedders import load_embedder

    settings = load_settings({"embedder": embedder, "chunk_tokens": chunk_tokens})
    with fetching():
        figures = evaluate_retrieval(folder, load_embedder(settings.embedder or DEFAULT_EMBEDDER), settings, limit)
    if as_json:
        show_json(figures)
        return
    for name, value in figures.items():
        click.echo(f"{name:<14} {value:.4f}" if isinstance(value, float) else f"{name:<14} {value}")
