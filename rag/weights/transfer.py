"""What all sources of weights share: progress, staging, hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rag.weights.catalogue import Model, ModelFile

BLOCK = 1 << 20


class Progress(Protocol):
    """Called with the progress of a download. `total` changes if another source is tried."""

    def __call__(self, name: str, done_bytes: int, total_bytes: int, /) -> None: ...


class SourceError(Exception):
    """A source failed; the message is the reason. Not shown to users by itself: the next source is tried."""


@dataclass(slots=True)
class Meter:
    """Counts bytes and calls `progress`; the count never decreases."""

    name: str
    total: int
    progress: Progress | None = None
    finished: int = 0
    _told: int = field(default=-1, repr=False)

    def at(self, done: int) -> None:
        """Report `done` bytes of the current step."""
        now = min(self.finished + done, self.total)
        if self.progress and now > self._told:
            self._told = now
            self.progress(self.name, now, self.total)

    def finish(self, size: int) -> None:
        """End the current step, which had `size` bytes."""
        self.at(size)
        self.finished += size


@dataclass(frozen=True, slots=True)
class Job:
    """A download to be done: `files` of `model`, through the folder `staging`."""

    model: Model
    files: tuple[ModelFile, ...]
    staging: Path
    meter: Meter


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that has arrived at `path`, and its sha256 there."""

    file: ModelFile
    path: Path
    sha256: str


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stage(file: ModelFile, blocks: Iterable[bytes], to: Path, meter: Meter) -> Staged:
    """Write `blocks` to `to` and hash them; more bytes than the catalogue says are an error."""
    digest, size = hashlib.sha256(), 0
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as out:
        for block in blocks:
            size += len(block)
            if size > file.size:
                raise SourceError(f"{file.path} is larger there than the catalogue's {file.size} bytes")
            out.write(block)
            digest.update(block)
            meter.at(size)
    meter.finish(size)
    return Staged(file, to, digest.hexdigest())


def folder_size(folder: Path) -> int:
    """The bytes of the files under `folder`; files that disappear meanwhile count as 0."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(root, name).stat().st_size
            except OSError:
                continue  # renamed or removed since the listing
    return total
