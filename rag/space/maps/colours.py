"""Colours for topics: topics that lie beside each other get colours that are far apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TypeAlias

import numpy as np

__all__ = ["NONE", "Colour", "choose_colours"]

Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

NONE: Colour = (150, 154, 160)
"""Of points without a topic."""


def _from_oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Source: Björn Ottosson, "A perceptual color space for image processing", 2020."""
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    roots = (
        lightness + 0.3963377774 * a + 0.2158037573 * b,
        lightness - 0.1055613458 * a - 0.0638541728 * b,
        lightness - 0.0894841775 * a - 1.2914855480 * b,
    )
    x, y, z = (root**3 for root in roots)
    linear = (
        4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z,
        -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z,
        -0.0041960863 * x - 0.7034186147 * y + 1.7076147010 * z,
    )
    red, green, blue = (
        round(255 * float(np.clip(12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055, 0, 1)))
        for c in linear
    )
    return red, green, blue


# Twelve hues, each lighter and darker: seen well on white and on black.
_OKLCH = [
    (lightness, chroma, 2 * np.pi * (step + 0.5 * (lightness < 0.65)) / 12 + 0.4)
    for (lightness, chroma), step in product(((0.73, 0.14), (0.58, 0.16)), range(12))
]
_PALETTE = [_from_oklch(*each) for each in _OKLCH]
_APART = np.array([(light * 1.5, c * np.cos(h), c * np.sin(h)) for light, c, h in _OKLCH])


def choose_colours(places: Sequence[tuple[float, float]]) -> list[Colour]:
    """A colour for each of the `places` in [0, 1], in order: unlike those of the places around it."""
    chosen: list[int] = []
    for n, at in enumerate(places):
        distances = np.linalg.norm(np.array(places[:n]).reshape(-1, 2) - at, axis=1)
        unlike = np.linalg.norm(_APART[:, None] - _APART[chosen], axis=2)
        crowding = (np.exp(-distances / 0.15) / (unlike + 0.01)).sum(axis=1) if n else np.zeros(len(_PALETTE))
        used = np.bincount(chosen, minlength=len(_PALETTE)) if n else 0
        chosen.append(int(np.argmin(crowding + 2.0 * np.asarray(used))))
    return [_PALETTE[i] for i in chosen]
