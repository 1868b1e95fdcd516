"""`rag words`: near words, and sums of words."""

from __future__ import annotations

import click

from rag.cli.screen import options, say, show, show_json


@click.command(
    help=say(
        "List the words nearest to a word or to a sum of words. For example: rag words king - man + woman",
        "列出与一个词或词的加减结果最接近的词。例如：rag words king - man + woman",
    )
)
@click.argument("words", nargs=-1, metavar="WORD [+|- WORD]…")
@click.option(
    "--nearest", multiple=True, metavar="WORD", help=say("Nearest to this one (as well).", "与该词最接近的词。")
)
@click.option(
    "--vectors",
    "name",
    metavar="NAME",
    help=say(
        "A file of Word2Vec, GloVe or fastText, a folder of model2vec [default: glove-6b-50d, English].",
        "Word2Vec、GloVe、fastText 文件或 model2vec 文件夹 [默认：glove-6b-50d，英文]。",
    ),
)
@options("top_k", "json")
def words(
    words: tuple[str, ...], nearest: tuple[str, ...], name: str | None, top_k: int | None, as_json: bool
) -> None:
    from rag.cli.bars import download_bar
    from rag.config import load_settings
    from rag.embedders.words import load_word_vectors
    from rag.embedders.words.vectors import DEFAULT
    from rag.space.words import read_sum, solve_words

    sums = [read_sum(words)] if words else []
    sums += [([word], []) for word in nearest]
    if not sums:
        raise click.UsageError(say("Give a word.", "请给出一个词。"))
    kind, _, configured = load_settings().embedder.partition(":")
    with download_bar():
        vectors = load_word_vectors(name or (configured if kind == "vectors" else DEFAULT))
    found = [(plus, minus, solve_words(vectors, plus, minus, top_k or 10)) for plus, minus in sums]
    if as_json:
        show_json(
            {
                "vectors": vectors.name,
                "sums": [
                    {"plus": plus, "minus": minus, "nearest": [[word, round(cosine, 4)] for word, cosine in near]}
                    for plus, minus, near in found
                ],
            }
        )
        return
    for plus, minus, near in found:
        show(" + ".join(plus) + "".join(f" - {word}" for word in minus), bold=True)
        for word, cosine in near:
            show(f"  {cosine:.3f}  {word}")
