"""`modelscope:` a SentenceTransformers model from ModelScope, with no other hub asked; and `bge-m3`.

The files that the repository lists are written down as a catalogue of their own, with sha256, when they
are first fetched: from then on the model is the same one, and needs no network.
Addresses: ENDPOINT/api/v1/models/ID/repo/files?Revision=master&Recursive=true lists the files.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rag.embedders import Embedder
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.errors import ConfigError, ModelError
from rag.weights.cache import cache_dir, model_path
from rag.weights.catalogue import Model, ModelFile, read_catalogue, write_catalogue
from rag.weights.http import require_answer
from rag.weights.modelscope import list_files
from rag.weights.transfer import SourceError

__all__ = ["bge_m3", "load"]

log = logging.getLogger(__name__)

BGE_M3 = "BAAI/bge-m3"


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
    if written.is_file():
        [model] = read_catalogue(written).values()
        return model_path(model)
    files = _needed(list_files(name))
    if not files:
        raise ModelError(f"{name} on ModelScope holds no SentenceTransformers model: choose another")
    model = Model(_folder(name), "embedding", "see ModelScope", name, files, modelscope=name)
    return model_path(write_catalogue(written, model))


_TAKEN = (".json", ".txt", ".model", ".safetensors", ".bin")
_LEFT = re.compile(r"(^|/)(onnx|openvino|imgs|assets|\.[^/]*)(/|$)", re.IGNORECASE)
_WEIGHTS = (".safetensors", ".bin", ".model", "tokenizer.json", "vocab.txt")


def _needed(files: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
    """Configuration, tokenizer, and weights in one form: safetensors where there are some."""
    kept = [file for file in files if file.path.endswith(_TAKEN) and not _LEFT.search(file.path)]
    safe = any(file.path.endswith(".safetensors") for file in kept)
    needed = (file for file in kept if not (safe and file.path.endswith(".bin")))
    return tuple(replace(file, weights=file.path.endswith(_WEIGHTS)) for file in needed)


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
