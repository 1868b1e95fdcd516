"""A GGUF file of a repository that is in no catalogue: its hash is what the hub tells when it is first fetched.

The file is written down as a catalogue of its own then. From then on it is the same one, and needs no network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from rag.errors import ModelError
from rag.weights.cache import cache_dir, model_path
from rag.weights.catalogue import Model, ModelFile, read_catalogue, write_catalogue
from rag.weights.fetch import SOURCES, allowed_sources
from rag.weights.transfer import SourceError

__all__ = ["gguf_file", "is_in_repository", "known_size"]

log = logging.getLogger(__name__)

_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<path>(?:[\w. -]+/)*[\w. -]+\.gguf)")
_PART = re.compile(r"(.+)-\d{5}-of-(\d{5})\.gguf")


def is_in_repository(name: str) -> bool:
    """Whether `name` is OWNER/REPOSITORY/FILE.gguf."""
    return bool(_NAME.fullmatch(name)) and ".." not in name


def gguf_file(name: str) -> Path:
    """The file that OWNER/REPOSITORY/FILE.gguf names, fetched from the hub or from ModelScope if it is missing.

    Of a model in several files ("…-00001-of-00003.gguf") all are fetched. Raises ModelError with the reason of
    each source, HashMismatch.
    """
    repository, path = _named(name)
    model = _known(name) or write_catalogue(_catalogue(name), _listed(_catalogue(name).stem, repository, path))
    return model_path(model) / path


def known_size(name: str) -> int:
    """The bytes of what `name` names; 0 where it was never fetched."""
    model = _known(name)
    return model.size if model else 0


def _named(name: str) -> tuple[str, str]:
    """The repository and the path in it."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ModelError(f"{name!r} is no OWNER/REPOSITORY/FILE.gguf")
    return match["repository"], match["path"]


def _catalogue(name: str) -> Path:
    repository, path = _named(name)
    return cache_dir() / f"{'--'.join((*repository.split('/'), *path.removesuffix('.gguf').split('/')))}.toml"


def _known(name: str) -> Model | None:
    written = _catalogue(name)
    return next(iter(read_catalogue(written).values())) if written.is_file() else None


def _listed(folder: str, repository: str, path: str) -> Model:
    """The model as the first of the sources that answers lists it."""
    reasons: list[str] = []
    for source in allowed_sources():
        if source == "pypi":
            continue
        try:
            files = _parts(path, _files(source, repository))
        except (SourceError, ModelError) as exc:
            reasons.append(f"{SOURCES[source]}: {exc}")
            continue
        if files:
            log.info("%s: listed by %s", repository, SOURCES[source])
            at = (repository, None) if source == "hub" else (None, repository)
            return Model(folder, "answers", "see its page", repository, files, hub=at[0], modelscope=at[1])
        reasons.append(f"{SOURCES[source]}: {repository} has no {path}")
    raise ModelError(
        f"{repository}/{path} cannot be had ({'; '.join(reasons)}): check the name and the network, or name a "
        "file of this machine, local:/PATH/FILE.gguf"
    )


def _files(source: str, repository: str) -> list[ModelFile]:
    if source == "hub":
        from rag.weights import huggingface

        return huggingface.list_files(repository)
    from rag.weights import modelscope

    return modelscope.list_files(repository)


def _parts(path: str, files: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
    """The files that `path` needs: itself, or all parts of which it is the first."""
    part = _PART.fullmatch(path)
    if part is None:
        return tuple(file for file in files if file.path == path)
    wanted = {f"{part[1]}-{i:05}-of-{part[2]}.gguf" for i in range(1, int(part[2]) + 1)}
    found = tuple(file for file in files if file.path in wanted)
    return found if len(found) == len(wanted) else ()
