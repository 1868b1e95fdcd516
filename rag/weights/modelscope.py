"""Weights from ModelScope."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from rag.errors import ModelError
from rag.weights.catalogue import read_catalogue
from rag.weights.http import download, require_answer
from rag.weights.transfer import Job, SourceError, Staged, sha256_of


def from_modelscope(job: Job) -> Iterator[Staged]:
    """Files through plain HTTPS; MODELSCOPE_ENDPOINT names another server.

    Addresses: ENDPOINT/models/REPOSITORY/resolve/master/PATH, ranges allowed.
    """
    endpoint = os.environ.get("MODELSCOPE_ENDPOINT") or "https://www.modelscope.cn"
    require_answer(endpoint)
    for file in job.files:
        url = f"{endpoint.rstrip('/')}/models/{job.model.modelscope}/resolve/master/{quote(file.path)}"
        path = job.staging / "modelscope" / file.path
        download(url, path, file.size, job.meter)
        job.meter.finish(file.size)
        yield Staged(file, path, sha256_of(path))


_TAKEN = (".json", ".txt", ".model", ".safetensors", ".bin")
_LEFT = re.compile(r"(^|/)(onnx|openvino|imgs|assets|\.[^/]*)(/|$)", re.IGNORECASE)
_WEIGHTS = (".safetensors", ".bin", ".model", "tokenizer.json", "vocab.txt")
_SECONDS = 20.0
_MOST = 10_000_000  # bytes of a listing


def folder_name(name: str) -> str:
    return f"modelscope--{name.replace('/', '--')}"


def list_files(name: str) -> list[Mapping[str, Any]]:
    """The files that ModelScope lists for the repository, without folders."""
    endpoint = (os.environ.get("MODELSCOPE_ENDPOINT") or "https://www.modelscope.cn").rstrip("/")
    url = f"{endpoint}/api/v1/models/{name}/repo/files?Revision=master&Recursive=true"
    try:
        require_answer(endpoint)
        with urlopen(Request(url, headers={"User-Agent": "ragstone"}), timeout=_SECONDS) as reply:  # noqa: S310
            return [f for f in json.loads(reply.read(_MOST))["Data"]["Files"] if f.get("Type") != "tree"]
    except HTTPError as exc:
        exc.close()
        raise ModelError(
            f"ModelScope has no model {name!r} ({exc.code}): check the id at {endpoint}/models"
        ) from exc
    except (SourceError, OSError, HTTPException, ValueError, KeyError, TypeError) as exc:
        raise ModelError(f"ModelScope cannot say what {name!r} holds: {exc}") from exc


def write_catalogue(path: Path, name: str, files: Sequence[Mapping[str, Any]]) -> None:
    """Write a catalogue with the files of the repository that the model needs."""
    lines = [_line(file) for file in _needed(files)]
    if not lines:
        raise ModelError(f"{name} on ModelScope holds no SentenceTransformers model: choose another")
    head = {"kind": "embedding", "licence": "see ModelScope", "note": name, "modelscope": name}
    text = "\n".join([f"[{json.dumps(folder_name(name))}]", *(f"{k} = {json.dumps(v)}" for k, v in head.items())])
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.write_text(f"{text}\nfiles = [\n{''.join(lines)}]\n", encoding="utf-8")
    read_catalogue(temporary)  # paths and hashes are checked there
    temporary.replace(path)


def _needed(files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Configuration, tokenizer, and weights in one form: safetensors where there are some."""
    kept = [f for f in files if str(f["Path"]).endswith(_TAKEN) and not _LEFT.search(str(f["Path"]))]
    safe = any(str(f["Path"]).endswith(".safetensors") for f in kept)
    return [f for f in kept if not (safe and str(f["Path"]).endswith(".bin"))]


def _line(file: Mapping[str, Any]) -> str:
    path, digest = (json.dumps(str(file.get(key, "")), ensure_ascii=False) for key in ("Path", "Sha256"))
    weights = ", weights = true" if str(file["Path"]).endswith(_WEIGHTS) else ""
    return f"  {{ path = {path}, size = {int(file['Size'])}, sha256 = {digest}{weights} }},\n"
