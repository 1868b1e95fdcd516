"""The cost of an answer, if the price of its model is known: from `prices.toml`, or the user's own file."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rag.errors import ConfigError
from rag.network.endpoint import Endpoint, environment
from rag.types import Usage

_HERE = Path(__file__).with_name("prices.toml")
_OWN = {"openai": "api.openai.com"}
"""The hosts that charge the prices of `prices.toml`; others may charge different ones."""


def with_cost(endpoint: Endpoint, usage: Usage) -> Usage:
    """`usage` with its cost in US dollars, None if the price is not known. Raises ConfigError.

    A file named by RAG_PRICES is used first, and for any server.
    """
    named = environment("RAG_PRICES")
    price = _read(Path(named).expanduser()).get(endpoint.name) if named else None
    if price is None and endpoint.host == _OWN.get(endpoint.name.partition(":")[0]):
        price = _read(_HERE).get(endpoint.name)
    if price is None:
        return usage
    fresh = usage.prompt - usage.cached
    paid = fresh * price[0] + usage.cached * price[1] + usage.completion * price[2]
    return replace(usage, cost=paid / 1e6)


@cache
def _read(path: Path) -> dict[str, tuple[float, float, float]]:
    """(prompt, cached, completion) prices by model; cached tokens without a price cost as much as the others."""
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _price(row) for name, row in held.items()}
    except OSError as exc:
        raise ConfigError(f"the prices in {path} cannot be read ({exc.strerror}): look at RAG_PRICES") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError, ValueError) as exc:
        raise ConfigError(
            f'{path} is no list of prices ({exc}): write ["openai:MODEL"] with prompt and completion, '
            "in US dollars for a million tokens"
        ) from exc


def _price(row: dict[str, Any]) -> tuple[float, float, float]:
    prompt, completion = float(row["prompt"]), float(row["completion"])
    return prompt, float(row.get("cached", prompt)), completion
