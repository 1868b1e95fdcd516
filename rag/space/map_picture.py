"""A map as a PNG that is fit for print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rag.errors import SpaceError
from rag.space.colours import NONE, Colour
from rag.space.fonts import has_chinese, load_font
from rag.space.map import Map, MapTopic
from rag.text.sanitise import well_formed

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["write_picture"]

SIDE = 2400
"""Pixels of the map's side: 20 cm at 300 to the inch."""

_FINER = 2  # drawn so many times larger, so that edges are smooth
_HEAD = 130  # pixels above the map, for the title
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

    def __init__(self, draw: ImageDraw, dress: _Dress, font: Path | None) -> None:
        self.draw, self.dress, self._font = draw, dress, font
        self._covered: list[tuple[float, float, float, float]] = []

    def write(self, lines: Sequence[str], at: tuple[float, float], size: float, fill: Colour, must: bool) -> None:
        """Centred at `at` or a little above or below it; not at all where all is covered, unless it `must`."""
        font = load_font(self._font, size)
        text = "\n".join(well_formed(line) for line in lines)
        halo = size / 7
        for step in (0, -0.8, 0.8, -1.6, 1.6, -2.4, 2.4):
            x, y = at[0], at[1] + step * size * 1.2
            box = self.draw.multiline_textbbox((x, y), text, font, "mm", align="center")
            if all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in self._covered):
                break
        else:
            if not must:
                return
        self._covered.append(box)
        self.draw.multiline_text(
            (x, y), text, fill, font, "mm", align="center", stroke_width=halo, stroke_fill=self.dress.paper
        )


def write_picture(drawn: Map, path: Path, title: str, note: str, font: Path | None, dark: bool = False) -> None:
    """Write `drawn` to `path` with `title` above it and `note` under that; topics' names are drawn with `font`.

    Without a font, names that hold Chinese are left out. Raises SpaceError.
    """
    from PIL import ImageDraw

    dress = _DARK if dark else _LIGHT
    picture = _dots(drawn, dress)
    canvas = _Canvas(ImageDraw.Draw(picture), dress, font)
    shown = [text if font or not has_chinese(text) else "" for text in (title, note)]
    canvas.draw.text((60, 34), shown[0], dress.ink, load_font(font, 44))
    canvas.draw.text((60, 94), shown[1], dress.soft, load_font(font, 26))
    _questions(drawn, canvas)
    largest = max((topic.size for topic in drawn.topics), default=1)
    for topic in drawn.topics:
        if lines := _lines(topic, font):
            canvas.write(lines, _pixel(topic.at), 27 + 15 * (topic.size / largest) ** 0.5, dress.ink, must=False)
    try:
        picture.save(path, "PNG", dpi=(300, 300), optimize=True)
    except OSError as exc:
        raise SpaceError(f"the map cannot be written to {path}: {exc.strerror or exc}") from exc


def _pixel(at: Sequence[float]) -> tuple[float, float]:
    return at[0] * SIDE, _HEAD + (1 - at[1]) * SIDE


def _dots(drawn: Map, dress: _Dress) -> Image:
    """The points alone, those without a topic under the others."""
    from PIL import Image as Images
    from PIL import ImageDraw

    size = (SIDE * _FINER, (SIDE + _HEAD) * _FINER)
    picture = Images.new("RGB", size, dress.paper)
    draw = ImageDraw.Draw(picture)
    radius = _FINER * min(14.0, max(1.6, 0.16 * SIDE / len(drawn.plane) ** 0.5))
    places = np.array([_pixel(at) for at in drawn.plane.tolist()]) * _FINER
    colours = [tuple(round((2 * c + p) / 3) for c, p in zip(NONE, dress.paper, strict=True))]
    colours = [topic.colour for topic in drawn.topics] + colours  # the last is that of -1
    for row in np.argsort(drawn.labels >= 0, kind="stable").tolist():
        x, y = places[row]
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), colours[int(drawn.labels[row])])
    return picture.reduce(_FINER)


def _questions(drawn: Map, canvas: _Canvas) -> None:
    colour = canvas.dress.question
    for asked in drawn.asked:
        x, y = _pixel(asked.at)
        for hit in asked.hits:
            hx, hy = _pixel(drawn.plane[hit].tolist())
            canvas.draw.line((x, y, hx, hy), colour, 4)
            canvas.draw.ellipse((hx - 12, hy - 12, hx + 12, hy + 12), None, colour, 4)
        diamond = [(x, y - 20), (x + 20, y), (x, y + 20), (x - 20, y)]
        canvas.draw.polygon(diamond, colour, canvas.dress.paper, 3)
        canvas.write([asked.question[:_QUESTION]], (x, y - 52), 36, colour, must=True)


def _lines(topic: MapTopic, font: Path | None) -> list[str]:
    """A topic's words in two lines at most."""
    words = [word for word in topic.name if font or not has_chinese(word)]
    rows = [words[:2], words[2:]] if len(words) > 2 else [words]
    return [" · ".join(row) for row in rows if row]
