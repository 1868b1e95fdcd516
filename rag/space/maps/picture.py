"""A map as a PNG that is fit for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rag.errors import SpaceError
from rag.space.maps.colours import NONE, Colour
from rag.space.maps.fonts import has_chinese, load_font
from rag.space.maps.map import Map, MapTopic
from rag.text.sanitise import well_formed

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["write_picture"]

SIDE = 2400
"""Pixels of the map's side: 20 cm at 300 to the inch."""

_FINER = 2  # drawn so many times larger, so that edges are smooth
_HEAD = 150  # pixels above the map, for the title
_EDGE = 0.05  # of the side, free above and below the points
_FEW = 14  # topics whose names are written in full
_GLOW, _STRENGTH = 9, 44  # pixels around a point, and how much of its colour (of 255) the paper takes there
_QUESTION = 60  # characters of a question that are written


@dataclass(frozen=True, slots=True)
class _Dress:
    paper: Colour
    ink: Colour
    soft: Colour
    question: Colour


_LIGHT = _Dress((251, 250, 247), (29, 32, 37), (102, 108, 117), (31, 95, 191))
_DARK = _Dress((20, 22, 26), (236, 238, 241), (154, 161, 171), (138, 184, 255))


class _Canvas:
    """Where the map's points are on the picture, and which parts are written on."""

    def __init__(self, draw: ImageDraw, dress: _Dress, font: Path | None, top: float) -> None:
        self.draw, self.dress, self._font, self._top = draw, dress, font, top
        self._covered: list[tuple[float, float, float, float]] = []

    def pixel(self, at: Sequence[float]) -> tuple[float, float]:
        return _pixel(at, self._top)

    def write(self, lines: Sequence[str], at: tuple[float, float], size: float, fill: Colour, must: bool) -> None:
        """Centred at `at` or a little above or below it; not at all where all is covered, unless it `must`."""
        font = load_font(self._font, size)
        text = "\n".join(well_formed(line) for line in lines)
        halo = size / 5
        half = self.draw.multiline_textbbox((0, 0), text, font, "mm", align="center")[2] + 2 * halo
        x = min(max(at[0], half), SIDE - half)
        for step in (0, -0.8, 0.8, -1.6, 1.6, -2.4, 2.4):
            y = at[1] + step * size * 1.2
            box = self.draw.multiline_textbbox((x, y), text, font, "mm", align="center")
            if all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in self._covered):
                break
        else:
            if not must:
                return
        self._covered.append((box[0] - halo, box[1] - halo, box[2] + halo, box[3] + halo))
        for width, colour in ((halo, self.dress.paper), (size / 40, fill)):
            self.draw.multiline_text((x, y), text, colour, font, "mm", align="center", stroke_width=width)


def write_picture(drawn: Map, path: Path, title: str, note: str, font: Path | None, dark: bool = False) -> None:
    """Write `drawn` to `path` with `title` above it and `note` under that; topics' names are drawn with `font`.

    Without a font, names that hold Chinese are left out. Raises SpaceError.
    """
    from PIL import ImageDraw

    dress = _DARK if dark else _LIGHT
    top = float(drawn.plane[:, 1].max()) + _EDGE
    picture = _dots(drawn, dress, top)
    canvas = _Canvas(ImageDraw.Draw(picture), dress, font, top)
    shown = [text if font or not has_chinese(text) else "" for text in (title, note)]
    canvas.draw.text((60, 34), shown[0], dress.ink, load_font(font, 44), stroke_width=1)
    canvas.draw.text((60, 94), shown[1], dress.soft, load_font(font, 26))
    _questions(drawn, canvas)
    largest = max((topic.size for topic in drawn.topics), default=1)
    for topic in drawn.topics:
        if lines := _lines(topic, 4 if len(drawn.topics) <= _FEW else 2, font):
            canvas.write(
                lines, canvas.pixel(topic.at), 27 + 15 * (topic.size / largest) ** 0.5, dress.ink, must=False
            )
    try:
        picture.save(path, "PNG", dpi=(300, 300), optimize=True)
    except OSError as exc:
        raise SpaceError(f"the map cannot be written to {path}: {exc.strerror or exc}") from exc


def _pixel(at: Sequence[float], top: float) -> tuple[float, float]:
    """Where a place of the plane is on the picture, whose upper edge is at `top` of the plane."""
    return at[0] * SIDE, _HEAD + (top - at[1]) * SIDE


def _dots(drawn: Map, dress: _Dress, top: float) -> Image:
    """The points alone, those without a topic under the others."""
    from PIL import ImageDraw

    _, height = _pixel((0, float(drawn.plane[:, 1].min()) - _EDGE), top)
    size = (SIDE * _FINER, round(height) * _FINER)
    radius = min(14.0, max(1.6, 0.15 * SIDE / len(drawn.plane) ** 0.5))
    places = np.array([_pixel(at, top) for at in drawn.plane.tolist()])
    red, green, blue = (round((2 * c + p) / 3) for c, p in zip(NONE, dress.paper, strict=True))
    colours = [*(topic.colour for topic in drawn.topics), (red, green, blue)]  # the last is that of -1
    picture = _glow(drawn, places, colours, dress, (SIDE, round(height))).resize(size)
    draw = ImageDraw.Draw(picture)
    for row in np.argsort(drawn.labels >= 0, kind="stable").tolist():
        _disc(draw, places[row] * _FINER, radius * _FINER, colours[int(drawn.labels[row])])
    return picture.reduce(_FINER)


def _glow(
    drawn: Map, places: npt.NDArray[np.float64], colours: Sequence[Colour], dress: _Dress, size: tuple[int, int]
) -> Image:
    """The paper, tinted where the points of a topic lie thick; a fourth of `size`, as nothing is sharp."""
    from PIL import Image as Images
    from PIL import ImageDraw, ImageFilter

    small = (size[0] // 4, size[1] // 4)
    tint, cover = Images.new("RGB", small, dress.paper), Images.new("L", small)
    draws = ImageDraw.Draw(tint), ImageDraw.Draw(cover)
    for row in np.flatnonzero(drawn.labels >= 0).tolist():
        _disc(draws[0], places[row] / 4, _GLOW * 1.6, colours[int(drawn.labels[row])])
        _disc(draws[1], places[row] / 4, _GLOW, _STRENGTH)
    soft = ImageFilter.GaussianBlur(_GLOW)
    return Images.composite(tint.filter(soft), Images.new("RGB", small, dress.paper), cover.filter(soft))


def _disc(draw: ImageDraw, at: npt.NDArray[np.float64], radius: float, colour: Colour | int) -> None:
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)


def _questions(drawn: Map, canvas: _Canvas) -> None:
    colour = canvas.dress.question
    for asked in drawn.asked:
        x, y = canvas.pixel(asked.at)
        for hit in asked.hits:
            hx, hy = canvas.pixel(drawn.plane[hit].tolist())
            canvas.draw.line((x, y, hx, hy), colour, 4)
            canvas.draw.ellipse((hx - 12, hy - 12, hx + 12, hy + 12), None, colour, 4)
        diamond = [(x, y - 20), (x + 20, y), (x, y + 20), (x - 20, y)]
        canvas.draw.polygon(diamond, colour, canvas.dress.paper, 3)
        canvas.write([asked.question[:_QUESTION]], (x, y - 52), 36, colour, must=True)


def _lines(topic: MapTopic, most: int, font: Path | None) -> list[str]:
    """A topic's first words in two lines at most."""
    words = [word for word in topic.name if font or not has_chinese(word)][:most]
    rows = [words[:2], words[2:]] if len(words) > 2 else [words]
    return [", ".join(row) for row in rows if row]  # a Chinese font's "·" is as wide as a character
