"""`rag classify`: label texts, rows or the index by a few examples, or by the labels' names alone."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli.ask import _where
from rag.cli.screen import options, say, show, show_json
from rag.cli.space.opened import short

if TYPE_CHECKING:
    from rag.embedders import Embedder
    from rag.space.classify import Labelled, Quality
    from rag.space.points import Points

_SHOWN = 20  # labelled passages that are listed; --json and --to have all
_FILE = click.Path(path_type=Path)


@click.command(
    help=say(
        "Label passages, rows of a table or texts by examples. EXAMPLES is a CSV file, a folder with a folder for "
        "each label, or a file of lines 'label: source'. First it says how well that works. Without --table and "
        "--text, the passages of the index are labelled.",
        "按例子给段落、表格的各行或文本分类。EXAMPLES 是 CSV 表格、每个标签一个子文件夹的文件夹，"
        "或由“标签: 来源”行组成的文件。先用交叉验证给出准确度。"
        "不用 --table 和 --text 时，给索引中的段落分类。",
    )
)
@click.argument("examples", required=False, type=_FILE)
@click.option(
    "--text-column", default="text", show_default=True, metavar="A,B", help=say("Columns with text.", "文本列。")
)
@click.option("--label-column", default="label", show_default=True, help=say("Column with the label.", "标签列。"))
@click.option(
    "--zero-shot", metavar="A,B,C", help=say("Labels by name alone, without examples.", "只给标签名，不需要例子。")
)
@click.option("--table", type=_FILE, help=say("Label the rows of this CSV file.", "给该 CSV 的各行分类。"))
@click.option("--text", "texts", multiple=True, help=say("Label this text.", "给这段文本分类。"))
@click.option("--below", type=click.FloatRange(0, 1), default=0.5, show_default=True,
              help=say("Less probable than this is 'unsure'.", "概率低于此值记为“不确定”。"))  # fmt: skip
@click.option("--to", type=_FILE, help=say("Write every label into this CSV file.", "把所有结果写入该 CSV。"))
@click.option("--only-check", is_flag=True, help=say("Cross-validate and label nothing.", "只做交叉验证。"))
@options("index", "embedder", "source", "type", "page", "json")
def classify(
    examples: Path | None,
    text_column: str,
    label_column: str,
    zero_shot: str | None,
    table: Path | None,
    texts: tuple[str, ...],
    below: float,
    to: Path | None,
    only_check: bool,
    index: str | None,
    embedder: str | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
) -> None:
    from rag.cli.space.opened import open_points
    from rag.space.classify import cross_validate, train
    from rag.space.classify import zero_shot as by_names
    from rag.space.examples import join, read_examples, read_table

    if (examples is None) == (zero_shot is None):
        raise click.UsageError(say("Give EXAMPLES or --zero-shot.", "请给出 EXAMPLES 或 --zero-shot。"))
    columns = text_column.split(",")
    points: Points | None = None
    if not (table or texts or only_check) or (
        examples and examples.is_file() and examples.suffix.lower() != ".csv"
    ):
        with open_points(index, _where(source, kind, page)) as (_, points):
            pass
    model = _embedder(index, embedder, points is not None)
    names = list(texts)
    if table:
        names += [join(row, columns) for row in read_table(table, columns)]
    if names or points is None:
        vectors = model.embed_documents(names)
    else:
        vectors, names = points.vectors, [chunk.text for chunk in points.chunks]
    checked: list[Quality] = []
    if examples is not None:
        known = read_examples(examples, columns, label_column, points)
        learnt = model.embed_documents(known.texts)
        checked = [quality for quality in cross_validate(learnt, known.labels, known.texts) if quality]
        if not as_json:
            _show_quality(checked)
        labelled = [] if only_check else train(learnt, known.labels).predict(vectors)
    else:
        labelled = by_names(
            model, [name.strip() for name in (zero_shot or "").split(",") if name.strip()], vectors
        )
    where = (
        [f"{chunk.source}#{chunk.position}" for chunk in points.chunks] if points and not (table or texts) else []
    )
    _show_labels(labelled, names, where, below, checked, to, as_json)


def _embedder(index: str | None, embedder: str | None, read: bool) -> Embedder:
    """The index's own embedder where that is `read`; else the one that is named, or the best for few examples."""
    from rag.cli.ask import open_rag
    from rag.cli.bars import download_bar
    from rag.config import load_settings
    from rag.embedders import load_embedder
    from rag.space.classify import EMBEDDER

    if read:
        with open_rag(index, embedder, "none") as rag:
            return rag.embedder
    with download_bar():
        return load_embedder(load_settings({"embedder": embedder}).embedder or EMBEDDER)


def _show_quality(checked: Sequence[Quality]) -> None:
    for quality, how in zip(
        checked, (say("vectors", "向量"), say("words (TF-IDF)", "词（TF-IDF）")), strict=False
    ):
        show(
            say(
                f"by {how}: accuracy {quality.accuracy:.3f}, macro F1 {quality.macro_f1:.3f} "
                f"({quality.folds} folds)",
                f"按{how}：准确率 {quality.accuracy:.3f}，宏平均 F1 {quality.macro_f1:.3f}（{quality.folds} 折）",
            ),
            bold=True,
        )
    best = checked[0]
    width = max(map(len, best.labels)) + 2
    show(" " * width + "".join(f"{label[:9]:>10}" for label in best.labels))
    for label, row in zip(best.labels, best.confusion, strict=True):
        show(f"{label:<{width}}" + "".join(f"{n:10}" for n in row))
    show()


def _show_labels(
    labelled: Sequence[Labelled],
    texts: Sequence[str],
    where: Sequence[str],
    below: float,
    checked: Sequence[Quality],
    to: Path | None,
    as_json: bool,
) -> None:
    unsure = say("unsure", "不确定")
    rows = [
        (each.label if each.probability >= below else unsure, round(each.probability, 4), text, place)
        for each, text, place in zip(labelled, texts, where or [""] * len(texts), strict=False)
    ]
    if to:
        _write(to, rows)
    if as_json:
        keys = ("label", "probability", "text", "source")
        show_json(
            {"quality": [asdict(q) for q in checked], "labels": [dict(zip(keys, r, strict=True)) for r in rows]}
        )
        return
    for label, probability, text, place in rows[:_SHOWN]:
        show(f"{probability:.3f}  {label}  ", end="", bold=True)
        show(f"{place + '  ' if place else ''}{short(text)}")
    if rows:
        counts = {label: sum(row[0] == label for row in rows) for label in sorted({row[0] for row in rows})}
        show(", ".join(f"{label}: {n}" for label, n in counts.items()))


def _write(path: Path, rows: Sequence[tuple[str, float, str, str]]) -> None:
    from rag.errors import SpaceError

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["label", "probability", "text", "source"])
            table.writerows(rows)
    except OSError as exc:
        raise SpaceError(f"{path} cannot be written: {exc.strerror}") from exc
