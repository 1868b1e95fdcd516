"""Settings: defaults < rag.toml < RAG_* environment < flags, read once."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from rag.errors import ConfigError

__all__ = ["DEFAULT_EMBEDDER", "Settings", "load_indexes", "load_settings"]

DEFAULT_EMBEDDER = "bilingual"
"""What fills a new index unless another embedder is named."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, with its default.

    `index` is a store URL, `embedder` (empty: the index's own, "bilingual" for a new one) and `llm`
    are chosen by name. `chunk_tokens` is the most
    tokens of a chunk (0: the embedder's window). `top_k` hits are given to the model,
    `context_tokens` of them at most (0: what suits the model). `dense_weight_*` is the dense score's
    share of a hit's score (the rest is BM25's) for questions in Latin script and in others. `synonyms` is a file
    of words that mean the same (empty: `synonyms.txt` in the working folder, if it is there). `strictness` in
    [0, 1]: how sure an answer must be of its passages; 0 hardly ever refuses. `answer_seconds` is how long a
    language model over a network may take for one answer, retries together. `file_seconds` is the time
    limit for reading one file, `file_bytes` the largest file that is read. `ocr`: whether scans and pictures are
    read by OCR, where the extra `ocr` is installed.
    """

    index: str = "faiss:data/index"
    embedder: str = ""
    llm: str = "local"
    chunk_tokens: int = 0
    top_k: int = 5
    context_tokens: int = 0
    answer_tokens: int = 256
    answer_seconds: float = 120.0
    dense_weight_latin: float = 0.55
    dense_weight_other: float = 0.4
    synonyms: str = ""
    strictness: float = 0.5
    file_seconds: float = 60.0
    file_bytes: int = 200_000_000
    ocr: bool = True


def load_settings(flags: Mapping[str, Any] | None = None, folder: Path | None = None) -> Settings:
    """The settings in force: rag.toml of `folder` (default: the working one), RAG_*, `flags` that are not None.

    RAG_CONFIG names another file than rag.toml. Raises ConfigError for an unknown or unusable setting.
    """
    settings = _from_file(Settings(), folder or Path())
    environment = {
        f.name: os.environ[f"RAG_{f.name.upper()}"]
        for f in fields(Settings)
        if f"RAG_{f.name.upper()}" in os.environ
    }
    settings = _apply(settings, environment, lambda name: f"environment variable RAG_{name.upper()}")
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    return _apply(settings, given, lambda name: f"flag --{name.replace('_', '-')}")


def load_indexes(folder: Path | None = None) -> dict[str, str]:
    """The store URLs of the table ``[indexes]`` in rag.toml, by name. Raises ConfigError."""
    path, values = _read_file(folder or Path())
    indexes = values.get("indexes", {})
    if not isinstance(indexes, dict) or not all(isinstance(url, str) for url in indexes.values()):
        raise ConfigError(f"{path}: [indexes] must name store URLs, as in manuals = 'faiss:data/manuals'")
    return indexes


def _from_file(settings: Settings, folder: Path) -> Settings:
    path, values = _read_file(folder)
    given = {name: value for name, value in values.items() if name != "indexes"}
    return _apply(settings, given, lambda name: f"{path}: {name}")


def _read_file(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The settings file and what it says; nothing where there is none."""
    named = os.environ.get("RAG_CONFIG")
    path = Path(named) if named else folder / "rag.toml"
    if not named and not path.is_file():
        return path, {}
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"the settings file {path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the settings file {path} is not TOML: {exc}") from exc


def _apply(settings: Settings, values: Mapping[str, Any], called: Callable[[str], str]) -> Settings:
    """`settings` with `values` in the types of the defaults; `called` says where a value comes from."""
    defaults = asdict(Settings())
    for name, value in values.items():
        if name not in defaults:
            raise ConfigError(f"{called(name)} is no setting: use one of {', '.join(sorted(defaults))}")
        kind = type(defaults[name])
        try:
            settings = replace(settings, **{name: _cast(kind, value)})
        except (TypeError, ValueError, KeyError, OverflowError) as exc:
            raise ConfigError(f"{called(name)} must be {_KINDS[kind]}, not {value!r}") from exc
    return _checked(settings)


_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


_SWITCH = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)


def _cast(kind: type, value: Any) -> Any:
    """`value` as a `kind`, nothing lost. Raises ValueError, TypeError, KeyError."""
    if kind is bool:
        return value if isinstance(value, bool) else _SWITCH[str(value).strip().lower()]
    if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
        raise TypeError(value)
    cast = kind(value)
    if not isinstance(value, str) and cast != value:
        raise ValueError(value)
    return cast


def _checked(settings: Settings) -> Settings:
    for name in ("dense_weight_latin", "dense_weight_other", "strictness"):
        if not 0 <= getattr(settings, name) <= 1:
            raise ConfigError(f"{name} must lie between 0 and 1, not {getattr(settings, name)}")
    for name in ("top_k", "answer_tokens", "answer_seconds", "file_seconds", "file_bytes"):
        if not 0 < getattr(settings, name) < math.inf:
            raise ConfigError(f"{name} must be above 0, not {getattr(settings, name)}")
    for name in ("chunk_tokens", "context_tokens"):
        if getattr(settings, name) < 0:
            raise ConfigError(f"{name} must be 0 or more, not {getattr(settings, name)}")
    return settings
