"""Options behind an embedder's name: `NAME?dimensions=512&max_tokens=2048`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from rag.errors import ConfigError


def split_options(name: str, allowed: tuple[str, ...]) -> tuple[str, Mapping[str, int]]:
    """The model's name and its options, whole numbers above 0. Raises ConfigError for any other."""
    model, _, query = name.partition("?")
    options: dict[str, int] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in allowed:
            raise ConfigError(
                f"{name!r} has an option {key!r}: use {' or '.join(allowed)}, as in {model}?dimensions=512"
            )
        if not value.isascii() or not value.isdecimal() or int(value) == 0:
            raise ConfigError(f"{name!r}: {key} must be a whole number above 0, not {value!r}")
        options[key] = int(value)
    if not model:
        raise ConfigError(f"{name!r} names no model")
    return model, options


def full_name(kind: str, model: str, options: Mapping[str, int]) -> str:
    """Name and options in one form, so that the same options in another order open the same index."""
    query = "&".join(f"{key}={options[key]}" for key in sorted(options))
    return f"{kind}:{model}?{query}" if query else f"{kind}:{model}"
