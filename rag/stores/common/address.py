"""Store URLs split into their parts; a password is never shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from rag.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of ``scheme://[user:password@]host:port/name[?option=value]``; `password` is never shown."""

    scheme: str
    host: str
    port: int
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @property
    def server(self) -> str:
        """Host and port, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL without user and password, safe to print."""
        query = "&".join(f"{name}={value}" for name, value in self.options)
        return f"{self.scheme}://{self.server}/{self.name}" + (f"?{query}" if query else "")

    def flag(self, option: str) -> bool:
        """Whether `option` is given as 1, true or yes."""
        return dict(self.options).get(option, "").lower() in ("1", "true", "yes")


def parse(url: str, port: int, names: str, options: tuple[str, ...] = ()) -> Address:
    """The address in `url`, with `port` if it names none, `names` the pattern of index names.

    Raises ConfigError, which shows no password.
    """
    try:
        parts = urlsplit(url)
        host, given = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"the store URL has no valid host and port ({error}): see rag help") from error
    name = unquote(parts.path.strip("/"))
    if not host or not re.fullmatch(names, name):
        raise ConfigError(
            f"the store URL needs a host and the name of an index, as in {parts.scheme}://localhost:{port}/docs "
            f"(a name of the form {names}), and this one has the host {host!r} and the name {name!r}"
        )
    pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := [each for each, _ in pairs if each not in options]:
        raise ConfigError(
            f"{parts.scheme} stores know no option {unknown[0]!r}: use {', '.join(options) or 'none'}"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(parts.scheme, host, given or port, name, user, password, pairs)
