"""What the commands over the space share: the passages of an index with their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rag.cli.bars import count_bar
from rag.cli.screen import say, show
from rag.types import Where

if TYPE_CHECKING:
    from rag.space.points import Points
    from rag.stores import Store

WIDTH = 100
"""Characters of a text that are shown."""


@contextmanager
def open_points(
    index: str | None, where: Where | None, least: int = 1, together: bool = False
) -> Iterator[tuple[Store, Points]]:
    """The store and its passages, without any model; `together` as in `read_points`.

    Raises IndexMissing, StoreError, SpaceError.
    """
    from rag.config import load_settings
    from rag.space.points import read_points
    from rag.stores import open_store

    with closing(open_store(load_settings({"index": index}).index)) as store:
        with count_bar(say("Reading", "正在读取")) as progress:
            points = read_points(store, where, least, progress, together)
        yield store, points


def short(text: str, width: int = WIDTH) -> str:
    """`text` on one line, cut to `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def picture_font(words: Iterable[str]) -> Path | None:
    """A font for a picture with these `words`; a line on stderr where they need one that is not there."""
    from rag.space.maps.fonts import find_font, has_chinese

    font = find_font()
    if font is None and any(map(has_chinese, words)):
        show(
            say(
                "No font with Chinese characters was found, so Chinese is left out of the picture: install one "
                "(Debian and Ubuntu: apt install fonts-noto-cjk).",
                "未找到中文字体，图片中省略了中文：请安装一种字体（Debian、Ubuntu：apt install fonts-noto-cjk）。",
            ),
            err=True,
        )
    return font
