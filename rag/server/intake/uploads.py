"""Files that clients send, kept in one folder: nothing is written outside it, and nothing by halves."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

from ingest.loaders import file_type
from rag.errors import Skip
from rag.server.failures import Failed

LONGEST_NAME, LONGEST_PART, DEEPEST = 1000, 200, 20
_BAD = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff<>:"|?*\\]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)  # of Windows


def checked_name(name: str) -> str:
    """`name` as a path below the folder of uploads. Raises Failed (400, 415) for one that is none."""
    name = unicodedata.normalize("NFC", name)
    parts = name.split("/")
    bad = len(name) > LONGEST_NAME or len(parts) > DEEPEST
    for part in parts:
        bad = bad or part.strip() != part or not part or part.startswith(".") or part.endswith(".")
        bad = (
            bad
            or bool(_BAD.search(part) or _RESERVED.match(part))
            or len(part.encode("utf-8", "replace")) > LONGEST_PART
        )
    if bad:
        raise Failed(400, f"{name[:100]!r} cannot be the name of a file here: rename it", "bad_name")
    try:
        file_type(Path(name))
    except Skip as reason:
        raise Failed(
            415, f"{parts[-1][:100]!r} is of a type that cannot be read ({reason})", "unsupported"
        ) from None
    return name


class Uploads:
    """The folder of one index's uploads; `free` bytes of its disk are left free."""

    def __init__(self, folder: Path, free: int) -> None:
        self.folder, self._free = folder, free

    def path(self, index: str, name: str) -> Path:
        """Where the upload called `name` lies. Raises Failed for a name that leads elsewhere."""
        root = self.root(index)
        path = root.joinpath(*checked_name(name).split("/"))
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise Failed(400, f"{name[:100]!r} leads out of the folder of uploads", "bad_name")
        return path

    def root(self, index: str) -> Path:
        return self.folder / index / "uploads"

    def holds(self, index: str, path: str) -> bool:
        """Whether this file came through this server."""
        return Path(path).is_relative_to(os.path.realpath(self.root(index)))

    def remove(self, path: str) -> None:
        """Delete an upload, and the folders that it leaves empty."""
        file = Path(path)
        file.unlink(missing_ok=True)
        for parent in file.parents:
            if parent.name == "uploads" or not parent.is_relative_to(self.folder) or any(parent.iterdir()):
                return
            parent.rmdir()

    async def save(self, index: str, name: str, body: AsyncIterator[bytes]) -> int:
        """Write an upload and return its bytes. Raises Failed (507: disk full); nothing is left then."""
        path = self.path(index, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        except OSError as error:
            raise _why(error, name) from error
        size = 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for piece in body:
                    size += len(piece)
                    if shutil.disk_usage(path.parent).free - len(piece) < self._free:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    file.write(piece)
            if not size:
                raise Failed(400, f"{name[:100]!r} is empty", "empty")
            Path(part).replace(path)
        except OSError as error:
            raise _why(error, name) from error
        finally:
            Path(part).unlink(missing_ok=True)
        return size


def _why(error: OSError, name: str) -> Failed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(507, f"the disk of the server is full: {name[:100]!r} was not kept", "disk_full")
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST):
        return Failed(409, f"{name[:100]!r} is a folder, or lies in a file, of an earlier upload", "bad_name")
    return Failed(500, f"{name[:100]!r} cannot be kept: {error.strerror}", "failed")
