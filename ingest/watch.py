"""When to look at folders again: what the file system tells, and the clock where it tells nothing."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ingest.discover import IGNORE
from ingest.loaders import is_readable_type

__all__ = ["wait_for_changes"]

logger = logging.getLogger(__name__)

FULL_LOOK = 600.0
"""Seconds after which is looked again though nothing was told: file systems over a network tell nothing."""
_QUIET, _LONGEST, _BEAT = 400, 10_000, 1_000
"""Milliseconds: without a change before one is told; from the first one at most; between looks at the clock."""


def wait_for_changes(paths: Sequence[Path], every: float = FULL_LOOK) -> Iterator[None]:
    """Yields when it is time to look: as soon as changes are heard of, after each of them, and `every` seconds.

    Paths that are missing, or are another folder than before (a disk taken away or put in), are waited for.
    """
    last = -math.inf
    while True:
        marks = _marks(paths)
        for changed in _changes([path for path, mark in zip(paths, marks, strict=True) if mark]):
            if _marks(paths) != marks:
                last = -math.inf  # look once the new folders are listened to
                break
            if changed or time.monotonic() - last >= every:
                yield
                last = time.monotonic()


def _marks(paths: Sequence[Path]) -> list[tuple[int, int] | None]:
    """Which folder lies at each path; None where nothing does."""
    marks: list[tuple[int, int] | None] = []
    for path in paths:
        try:
            stat = path.stat()
            marks.append((stat.st_dev, stat.st_ino) if path.is_dir() else (0, 0))
        except OSError:
            marks.append(None)
    return marks


def _changes(paths: Sequence[Path]) -> Iterator[bool]:
    """About once a second: did something change?"""
    from watchfiles import watch

    while not paths:
        time.sleep(_BEAT / 1_000)
        yield False
    settings: dict[str, Any] = {"debounce": _LONGEST, "step": _QUIET, "rust_timeout": _BEAT}
    for polling in (None, True):
        try:
            for changes in watch(
                *paths, watch_filter=_matters, yield_on_timeout=True, force_polling=polling, **settings
            ):
                yield bool(changes)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                return  # gone in between: waited for
            logger.warning("the file system tells no changes (%s): looking for them instead", error)


def _matters(_: Any, name: str) -> bool:
    """Can a change of this path change what is read? An index inside the folder cannot."""
    path = Path(name)
    folder = path.is_dir() or (not path.suffix and not path.is_file())
    return folder or path.name == IGNORE or is_readable_type(path)
