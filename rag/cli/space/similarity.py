"""`rag similarity`: how near texts are to each other."""

from __future__ import annotations

from pathlib import Path

import click

from rag.cli.screen import options, say, show, show_json

_SHOWN = 40  # characters of a text in a row's head


@click.command(
    help=say(
        "Print how alike texts are: the cosine of each pair.",
        "打印各文本两两之间的相似度（余弦）。",
    )
)
@click.argument("texts", nargs=-1, required=True, metavar="TEXT TEXT…")
@options("embedder", "json")
@click.option(
    "--heatmap",
    type=click.Path(path_type=Path, dir_okay=False),
    help=say("Draw the matrix into this PNG.", "把矩阵画成 PNG 图片。"),
)
def similarity(texts: tuple[str, ...], embedder: str | None, as_json: bool, heatmap: Path | None) -> None:
    from rag.cli.bars import download_bar
    from rag.config import DEFAULT_EMBEDDER, load_settings
    from rag.embedders import load_embedder

    if len(texts) < 2:
        raise click.UsageError(say("Give two texts or more.", "请给出两段或更多文本。"))
    chosen = load_settings({"embedder": embedder}).embedder or DEFAULT_EMBEDDER
    with download_bar():
        model = load_embedder(chosen)
        vectors = model.embed_documents(texts)
    matrix = [[float(cosine) for cosine in row] for row in vectors @ vectors.T]
    if heatmap:
        from rag.cli.space.opened import picture_font
        from rag.space.maps.heatmap import write_heatmap

        write_heatmap(texts, matrix, heatmap, picture_font(texts))
    if as_json:
        show_json(
            {"embedder": model.id, "texts": list(texts), "cosine": [[round(c, 6) for c in r] for r in matrix]}
        )
        return
    show("".join(f"{n:>8}" for n in range(1, len(texts) + 1)))
    for n, (text, row) in enumerate(zip(texts, matrix, strict=True), 1):
        cells = "".join(f"{cosine:8.3f}" for cosine in row)
        show(f"{cells}   {n}  {' '.join(text.split())[:_SHOWN]}")
