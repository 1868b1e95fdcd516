"""A map as one HTML file that needs nothing else, and the places in such a file read back."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

from rag.embedders.pictures import open_picture
from rag.errors import LoadError, SpaceError
from rag.space.maps.map import Earlier, Map, MapTopic, key_of
from rag.types import Document

__all__ = ["read_places", "write_page"]

_STEPS = 65535  # of a coordinate, which takes two bytes
_LETTERS = 20_000_000  # of all passages that one page holds: a larger one opens slowly
_LEAST = 200  # characters of a passage, however many there are
_MOST_BYTES = 500_000_000  # of a map that is read back
_MOST_PICTURES = 2000  # that are shown, each of some 5 kB
_PICTURE = 160  # pixels of a side
_SEPARATOR = " › "


def write_page(drawn: Map, path: Path, title: str, language: Literal["en", "zh"], truth: float) -> None:
    """Write `drawn` to `path`. `truth` is its trustworthiness, which the page states.

    Links lead to the documents where they were read, by their way from `path`. Raises SpaceError.
    """
    template = Path(__file__).with_name("map.html").read_text(encoding="utf-8")
    page = template.replace("{{points}}", _packed(_points(drawn)))
    page = page.replace("{{words}}", _packed(json.dumps(_words(drawn, path, title, language, truth)).encode()))
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as exc:
        raise SpaceError(f"the map cannot be written to {path}: {exc.strerror}") from exc


def read_places(path: Path) -> Earlier:
    """The places of the points in a page that `write_page` wrote. Raises SpaceError for anything else."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SpaceError(f"{path} is too large for a map")
        page = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise SpaceError(f"the earlier map {path} cannot be read: {exc}") from exc
    held = re.search(r'<script id="points"[^>]*>([A-Za-z0-9+/=]*)</script>', page)
    try:
        data = _unpacked(held.group(1)) if held else b""
        count = int.from_bytes(data[:4], "little")
        if not held or len(data) != 4 + 14 * count:
            raise ValueError("it holds no points")
    except (ValueError, OSError, EOFError, zlib.error) as exc:
        raise SpaceError(f"{path} is no map that `rag map --html` wrote: {exc}") from exc
    places = np.frombuffer(data, "<u2", 2 * count, 4).reshape(-1, 2).astype(np.float32) / _STEPS
    keys = np.frombuffer(data, "<u8", count, 4 + 6 * count)
    earlier: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    for key, (x, y) in zip(keys.tolist(), places.tolist(), strict=True):
        earlier[key].append((x, y))
    return earlier


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _unpacked(text: str) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(base64.b64decode(text, validate=True))) as file:
        return file.read(_MOST_BYTES)


def _points(drawn: Map) -> bytes:
    """The number of points; x, y (two bytes each); topic (two bytes, 65535 for none); key (eight bytes)."""
    places = np.rint(np.clip(drawn.plane, 0, 1) * _STEPS).astype("<u2")
    topics = np.where(drawn.labels < 0, _STEPS, drawn.labels).astype("<u2")
    keys = np.array([key_of(chunk, drawn.by_document) for chunk in drawn.chunks], "<u8")
    return len(places).to_bytes(4, "little") + places.tobytes() + topics.tobytes() + keys.tobytes()


def _words(drawn: Map, path: Path, title: str, language: str, truth: float) -> Mapping[str, Any]:
    sources = list(dict.fromkeys(chunk.source for chunk in drawn.chunks))
    row_of = {source: i for i, source in enumerate(sources)}
    most = max(_LEAST, _LETTERS // len(drawn.chunks))
    return {
        "title": title,
        "language": language,
        "documents": drawn.by_document,
        "truth": round(truth, 3),
        "letters": most,
        "topics": [_topic(topic) for topic in drawn.topics],
        "sources": [[source, _way(drawn.documents[source].path, path)] for source in sources],
        "pictures": _pictures([drawn.documents[source] for source in sources]),
        "passages": [
            [row_of[chunk.source], chunk.page or 0, _SEPARATOR.join(chunk.heading), chunk.text[:most]]
            for chunk in drawn.chunks
        ],
        "asked": [{"question": a.question, "at": a.at, "hits": a.hits} for a in drawn.asked],
    }


def _pictures(documents: Sequence[Document]) -> Mapping[int, str]:
    """Pictures among the `documents`, small, as addresses that hold them; those that are gone are left out."""
    found: dict[int, str] = {}
    for row, document in enumerate(documents):
        if document.type == "image" and len(found) < _MOST_PICTURES:
            with suppress(LoadError):
                file = io.BytesIO()
                open_picture(Path(document.path), _PICTURE)[0].save(file, "JPEG", quality=75)
                found[row] = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return found


def _topic(topic: MapTopic) -> Mapping[str, Any]:
    return {
        "name": topic.name,
        "at": topic.at,
        "size": topic.size,
        "colour": topic.colour,
        "parts": [_topic(part) for part in topic.parts],
    }


def _way(document: str, page: Path) -> str:
    """A link from the page to a document; none where there is no way, as between drives."""
    try:
        way = os.path.relpath(document, page.resolve().parent)
    except ValueError:
        return ""
    return quote("./" + way.replace(os.sep, "/"))
