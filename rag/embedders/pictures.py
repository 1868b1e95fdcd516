"""Pictures out of files, whoever made them: upright, in RGB, and of a bounded size."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import LoadError, Skip

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SUFFIXES", "open_picture"]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
MOST_PIXELS = 60_000_000
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")  # others may start programs, as EPS does


def open_picture(path: Path, side: int) -> tuple[Image, tuple[int, int]]:
    """The picture in `path` (of several the first), no side longer than `side`; and its own width and height.

    Raises Skip where it is too large, LoadError where it cannot be read.
    """
    from PIL import Image as Images
    from PIL import ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("error", Images.DecompressionBombWarning)
        try:
            with Images.open(path, formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Images.DecompressionBombError
                own = image.size
                image.draft("RGB", (side, side))  # a JPEG is read no finer than is needed
                picture = ImageOps.exif_transpose(image.convert("RGB"))
        except (Images.DecompressionBombWarning, Images.DecompressionBombError) as exc:
            raise Skip(f"too large: more than {MOST_PIXELS // 1_000_000} million pixels") from exc
        except UnidentifiedImageError as exc:
            raise LoadError(f"not a readable picture: none of {', '.join(_FORMATS)}") from exc
        except (OSError, SyntaxError, ValueError) as exc:
            raise LoadError(f"not a readable picture: {exc}") from exc
    picture.thumbnail((side, side))
    return picture, own
