"""A matrix of cosines as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.errors import SpaceError
from rag.space.maps.colours import Colour
from rag.space.maps.fonts import has_chinese, load_font
from rag.text.sanitise import well_formed

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["write_heatmap"]

_MARGIN, _HEAD, _TITLES, _SIDE, _CELL = 40, 60, 560, 2400, 150  # pixels
_MOST = 60  # texts: beyond, no cell could be read
_LOW, _HIGH = np.array((247, 245, 238)), np.array((23, 78, 120))
_INK: Colour = (29, 32, 37)
_PAPER: Colour = (255, 255, 255)


def write_heatmap(texts: Sequence[str], cosines: Sequence[Sequence[float]], path: Path, font: Path | None) -> None:
    """Write the cosine of each pair of `texts` to `path`, a PNG: the nearer, the darker.

    Without a `font`, texts in Chinese have only their numbers. Raises SpaceError.
    """
    from PIL import Image, ImageDraw

    n = len(texts)
    if n > _MOST:
        raise SpaceError(f"{n} texts are too many for a heatmap: {_MOST} at most")
    cell = min(_CELL, _SIDE // n)
    picture = Image.new("RGB", (2 * _MARGIN + _TITLES + n * cell, 2 * _MARGIN + _HEAD + n * cell), _PAPER)
    draw = ImageDraw.Draw(picture)
    _names(draw, texts, cell, font)
    _cells(draw, np.asarray(cosines, float), cell, font)
    try:
        picture.save(path, "PNG", dpi=(300, 300))
    except OSError as exc:
        raise SpaceError(f"the heatmap cannot be written to {path}: {exc.strerror or exc}") from exc


def _names(draw: ImageDraw, texts: Sequence[str], cell: int, font: Path | None) -> None:
    """The texts beside their rows, with their numbers, which stand above the columns too."""
    letters = load_font(font, min(30.0, cell * 0.5))
    for i, text in enumerate(texts):
        shown = "" if font is None and has_chinese(text) else well_formed(" ".join(text[:200].split()))
        while draw.textlength(f"{i + 1}  {shown}", letters) > _TITLES - 20:
            shown = shown[:-2] + "…"
        middle = (i + 0.5) * cell
        draw.text((_MARGIN, _MARGIN + _HEAD + middle), f"{i + 1}  {shown}", _INK, letters, "lm")
        draw.text((_MARGIN + _TITLES + middle, _MARGIN + _HEAD / 2), str(i + 1), _INK, letters, "mm")


def _cells(draw: ImageDraw, matrix: npt.NDArray[np.float64], cell: int, font: Path | None) -> None:
    numbers = load_font(font, cell * 0.24)
    low = min(float(matrix.min()), 0.0)
    for (i, j), cosine in np.ndenumerate(matrix):
        share = float(np.clip((cosine - low) / (1 - low), 0, 1))
        r, g, b = (round(float(c)) for c in _LOW + share * (_HIGH - _LOW))
        x, y = _MARGIN + _TITLES + j * cell, _MARGIN + _HEAD + i * cell
        draw.rectangle((x, y, x + cell - 2, y + cell - 2), (r, g, b))
        ink = _PAPER if share > 0.5 else _INK
        draw.text((x + cell / 2, y + cell / 2), f"{cosine:.2f}", ink, numbers, "mm")
