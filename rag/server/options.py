"""How the server may be reached, and how much one client may ask of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ConfigError

MB = 1 << 20
SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class Options:
    """What `rag serve` can be told. Sizes in bytes, times in seconds.

    `key` is the bearer key that clients must send ("" for none), `origins` the pages elsewhere that may ask,
    `names` the further names that this server is reached by. Folders on this machine can be ingested only
    inside `roots`; what is uploaded goes to `uploads`. `answers` are written at once, `waiting` more wait.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    key: str = ""
    origins: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    uploads: Path | None = None
    open_webui: bool = False
    log_questions: bool = False
    max_body: int = 2 * MB
    max_upload: int = 200 * MB
    free_disk: int = 200 * MB
    searches: int = 4
    answers: int = 1
    waiting: int = 8
    slow: float = 20.0


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_options(options: Options) -> Options:
    """`options` as they are. Raises ConfigError where others could reach a server without a key."""
    if not options.key and not is_loopback(options.host):
        raise ConfigError(
            f"{options.host} can be reached from other machines, where anybody could read the documents: "
            "give --key, or leave --host out"
        )
    if options.key and len(options.key) < SHORTEST_KEY:
        raise ConfigError(
            f"the key has {len(options.key)} characters and can be guessed: use {SHORTEST_KEY} or more"
        )
    if not options.key.isascii():
        raise ConfigError("the key has characters that no header can carry: use letters and digits")
    for origin in options.origins:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or "/" in rest or "*" in rest:
            raise ConfigError(f"{origin!r} is no origin: name it exactly, as in https://chat.example.org")
    for root in options.roots:
        if not root.is_dir():
            raise ConfigError(f"there is no folder {root}: check the spelling of --root")
    return options
