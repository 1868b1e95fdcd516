"""Services behind an address: their keys and addresses, read from the environment."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from rag.errors import ConfigError

__all__ = ["Endpoint", "close_with", "environment", "http_address", "whole_number"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a service. `key_from` and `address_from` are the variables that set key and address.

    `timeout` is the longest wait in seconds, for the connection and between two pieces of an answer.
    """

    name: str
    address: str
    key: SecretStr = field(default_factory=lambda: SecretStr(""))
    key_from: str = ""
    address_from: str = ""
    timeout: float = 60.0

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or self.address

    @property
    def secret(self) -> SecretStr:
        """The key for a client that insists on one."""
        return self.key if self.key.get_secret_value() else SecretStr("none")

    def require_key(self) -> Endpoint:
        """This endpoint. Raises ConfigError if it has no key."""
        if not self.key.get_secret_value():
            raise ConfigError(f"{self.name} needs a key: set {self.key_from}")
        return self

    def hide(self, text: str) -> str:
        """`text` without the key: a server may repeat it in its messages."""
        key = self.key.get_secret_value()
        return text.replace(key, "***") if key else text


def environment(*names: str) -> str:
    """The value of the first of these environment variables that is set and not blank, or ""."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), "")


def whole_number(name: str, default: int, of: str = "tokens") -> int:
    """The number in the environment variable `name`. Raises ConfigError for anything else."""
    value = environment(name)
    if value and not value.isdecimal():
        raise ConfigError(f"{name} must be a number of {of}, not {value!r}")
    return int(value) if value else default


def http_address(value: str, variable: str) -> str:
    """`value` without a slash at its end. Raises ConfigError unless it is an HTTP address."""
    if not value.startswith(("http://", "https://")) or not urlsplit(value).hostname:
        raise ConfigError(f"{variable} must be an address like http://127.0.0.1:8080/v1, not {value!r}")
    return value.rstrip("/")


def close_with(made: object, client: Any) -> None:
    """Close `client` when `made`, the LangChain object around it, is freed: it has no `close`."""
    weakref.finalize(made, client.close)
