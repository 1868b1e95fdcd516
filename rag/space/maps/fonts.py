"""A font of this machine that has the characters of a picture's labels."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import SpaceError
from rag.text import CJK

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

__all__ = ["find_font", "has_chinese", "load_font"]

# The beginnings of file names, in small letters, the best first.
_KNOWN = """
notosanscjk-regular notosanscjksc-regular notosanssc sourcehansanssc-regular sourcehansanscn-regular
sourcehansans-regular pingfang hiragino stheiti msyh deng simhei wqy-microhei wqy-zenhei droidsansfallback
notoserifcjk-regular simsun
""".split()
_FACES = 12  # of a collection, that are looked through for the simplified Chinese one


def has_chinese(text: str) -> bool:
    """Whether `text` holds characters that a Latin font lacks."""
    import re

    return re.search(f"[{CJK}]", text) is not None


@lru_cache(maxsize=1)
def find_font() -> Path | None:
    """A font with Chinese characters, where one is installed."""
    found: dict[int, Path] = {}
    for path in _font_files():
        name = path.name.lower()
        for rank, known in enumerate(_KNOWN):
            if name.startswith(known):
                found.setdefault(rank, path)
    return found[min(found)] if found else None


def _font_files() -> Iterator[Path]:
    home = Path.home()
    folders = {
        "win32": [Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"],
        "darwin": [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"],
    }.get(sys.platform, [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts"])
    for folder in [*folders, home / ".fonts"]:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in {".ttf", ".otf", ".ttc"}:
                yield path


def load_font(path: Path | None, size: float) -> FreeTypeFont:
    """The font at `path` (None: a Latin one that Pillow has within it), `size` pixels high. Raises SpaceError."""
    from PIL import ImageFont

    try:
        if path is None:
            font = ImageFont.load_default(size)
            if not isinstance(font, ImageFont.FreeTypeFont):
                raise SpaceError("this Pillow is built without FreeType: name a font with --font FILE")
            return font
        return ImageFont.truetype(str(path), size, index=_simplified(path))
    except OSError as exc:
        raise SpaceError(f"the font {path} cannot be read: {exc}") from exc


@lru_cache(maxsize=8)
def _simplified(path: Path) -> int:
    """The face of a collection that is for simplified Chinese, or its first."""
    from PIL import ImageFont

    for index in range(_FACES if path.suffix.lower() == ".ttc" else 0):
        try:
            family = ImageFont.truetype(str(path), 10, index=index).getname()[0] or ""
        except OSError:
            break
        if family.endswith(" SC"):
            return index
    return 0
