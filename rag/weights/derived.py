"""Files computed from weights once and kept: each with its sha256, by which a damaged one is found and made again.

They lie beside the models, or in the user's cache where that folder cannot be written to.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

from rag.errors import ModelError
from rag.weights.cache import cache_dir
from rag.weights.transfer import sha256_of

__all__ = ["derived", "verify_derived"]

log = logging.getLogger(__name__)

_FOLDER = "derived"
_SUM = ".sha256"  # behind the name of the file: its sum, and the size and times at which that was found


def derived(name: str, make: Callable[[Path], None]) -> Path:
    """The file `name` among those computed from weights; `make` writes it the first time, and where it is damaged.

    `name` must say everything that it depends on. A file whose size and times are those of its last check is
    not hashed again. Raises ModelError where it cannot be written.
    """
    for folder in _folders():
        if _is_whole(folder / name):
            return folder / name
    refused: OSError | None = None
    for folder in _folders():
        try:
            return _made(folder / name, make)
        except OSError as exc:
            refused = refused or exc
            if exc.errno in (errno.ENOSPC, errno.EDQUOT):
                break
    where = _folders()[0]
    short = refused is not None and refused.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free some, or name a folder on another disk in" if short else "name a folder that can be written to in"
    raise ModelError(f"{name} cannot be kept in {where} ({refused}): {hint} RAG_MODELS_DIR") from refused


def verify_derived() -> list[str]:
    """Hash every kept file; a sentence for each that is damaged: the next use makes it again."""
    return [
        f"{path} is damaged: it is made again when it is next needed"
        for path in _kept()
        if not _is_whole(path, trust_times=False)
    ]


def _folders() -> tuple[Path, ...]:
    """Where derived files may lie: beside the models first."""
    from platformdirs import user_cache_dir

    mine = Path(user_cache_dir("ragstone", appauthor=False), "models")
    return tuple(dict.fromkeys((cache_dir() / _FOLDER, mine / _FOLDER)))


def _kept() -> Iterator[Path]:
    for folder in _folders():
        if folder.is_dir():
            yield from sorted(path.with_name(path.name.removesuffix(_SUM)) for path in folder.glob(f"*{_SUM}"))


def _made(path: Path, make: Callable[[Path], None]) -> Path:
    temporary = path.with_name(f"{uuid4().hex}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        digest = sha256_of(temporary)
        _replace(temporary, path)
        _write_sum(path, digest)
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return path


def _replace(temporary: Path, path: Path) -> None:
    try:
        temporary.replace(path)
    except PermissionError:
        if not path.is_file():  # Windows: another process has just made the same file and holds it
            raise


def _is_whole(path: Path, *, trust_times: bool = True) -> bool:
    """Whether the file is there, and is what was written. One without its sum is made again."""
    try:
        held = json.loads(_sum(path).read_text(encoding="utf-8"))
        digest, times = str(held["sha256"]), held["times"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if not path.is_file():
        return False
    if trust_times and times == _times(path):
        return True
    if sha256_of(path) != digest:
        log.warning("%s is damaged: it is made again", path)
        return False
    if times != _times(path):
        _write_sum(path, digest)
    return True


def _sum(path: Path) -> Path:
    return path.with_name(path.name + _SUM)


def _times(path: Path) -> list[int]:
    """What changes when a file is written to, whatever time it is then given."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _write_sum(path: Path, digest: str) -> None:
    temporary = path.with_name(f"{uuid4().hex}{_SUM}.tmp")
    try:
        temporary.write_text(json.dumps({"sha256": digest, "times": _times(path)}), encoding="utf-8")
        temporary.replace(_sum(path))
    except OSError as exc:  # it is hashed again each time
        log.debug("no sum for %s: %s", path, exc)
        temporary.unlink(missing_ok=True)
