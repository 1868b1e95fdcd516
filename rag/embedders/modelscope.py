"""`modelscope:` a SentenceTransformers model from ModelScope, with no other hub asked; and `bge-m3`.

The files that the repository lists are written down as a catalogue of their own, with sha256, when they
are first fetched: from then on the model is the same one, and needs no network.
Addresses: ENDPOINT/api/v1/models/ID/repo/files?Revision=master&Recursive=true lists the files.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rag.embedders import Embedder
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.errors import ConfigError, ModelError
from rag.weights.cache import cache_dir, model_path
from rag.weights.catalogue import read_catalogue
from rag.weights.fetch import SourceError
from rag.weights.http import require_answer

__all__ = ["bge_m3", "load"]

log = logging.getLogger(__name__)

BGE_M3 = "BAAI/bge-m3"
_TAKEN = (".json", ".txt", ".model", ".safetensors", ".bin")
_LEFT = re.compile(r"(^|/)(onnx|openvino|imgs|assets|\.[^/]*)(/|$)", re.IGNORECASE)
_WEIGHTS = (".safetensors", ".bin", ".model", "tokenizer.json", "vocab.txt")
_SECONDS = 20.0
_MOST = 10_000_000  # bytes of a listing


def load(name: str) -> Embedder:
    """The model with the ModelScope id `name`, as in "sentence-transformers/all-MiniLM-L6-v2".

    Raises ConfigError for what is no id, ModelError where the files cannot be had.
    """
    embedder = SentenceTransformersEmbedder.load(str(fetched(name)))
    embedder.id = f"modelscope:{name}"
    return embedder


def bge_m3() -> Embedder:
    """BAAI/bge-m3 (dense), from the model hub or ModelScope: what RAG_MODEL_SOURCES allows and answers."""
    sources = os.environ.get("RAG_MODEL_SOURCES") or "hub,modelscope"
    folder: Path | str = BGE_M3
    if "modelscope" in sources and (_catalogue(BGE_M3).is_file() or "hub" not in sources or not _hub_answers()):
        folder = fetched(BGE_M3)
    embedder = SentenceTransformersEmbedder.load(str(folder))
    embedder.id = "bge-m3"
    return embedder


def fetched(name: str) -> Path:
    """The folder with the files of the ModelScope model `name`, fetched if they are missing."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or ".." in name:
        raise ConfigError(f"{name!r} is no ModelScope id: use OWNER/NAME, as in {BGE_M3}")
    written = _catalogue(name)
    if not written.is_file():
        _write(written, name, _listed(name))
    [model] = read_catalogue(written).values()
    return model_path(model)


def _catalogue(name: str) -> Path:
    return cache_dir() / f"{_folder(name)}.toml"


def _folder(name: str) -> str:
    return f"modelscope--{name.replace('/', '--')}"


def _hub_answers() -> bool:
    try:
        require_answer(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    except SourceError as exc:
        log.info("%s: %s", BGE_M3, exc)
        return False
    return True


def _listed(name: str) -> list[Mapping[str, Any]]:
    """What ModelScope says is in the repository, folders aside."""
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


def _write(path: Path, name: str, files: Sequence[Mapping[str, Any]]) -> None:
    """Write a catalogue with the files of the repository that the model needs."""
    lines = [_line(file) for file in _needed(files)]
    if not lines:
        raise ModelError(f"{name} on ModelScope holds no SentenceTransformers model: choose another")
    head = {"kind": "embedding", "licence": "see ModelScope", "note": name, "modelscope": name}
    text = "\n".join([f"[{json.dumps(_folder(name))}]", *(f"{k} = {json.dumps(v)}" for k, v in head.items())])
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
