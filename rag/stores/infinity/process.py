"""The one folder that Infinity has open in this process: opened, shared by stores, closed, locked for others."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from rag.errors import MissingExtra, StoreError, one_line

try:
    import infinity_embedded
    from infinity_embedded.common import InfinityException
except ImportError as error:
    # It pins NumPy 1.26 and other old versions, so the extra contains everything except the package itself.
    raise MissingExtra(
        "a store in Infinity",
        "infinity-embedded-sdk",
        "infinity",
        ", then pip install --no-deps infinity-embedded-sdk==0.5.2",
    ) from error

_CONFIG = """[general]
version = "0.5.0"
time_zone = "utc-0"
[network]
[log]
log_dir = {log}
log_level = "error"
[storage]
data_dir = {data}
persistence_dir = ""
[buffer]
temp_dir = {tmp}
[wal]
wal_dir = {wal}
[resource]
resource_dir = {resource}
"""


class Process:
    """The folder that this process has open, and how many stores use it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._folder: Path | None = None
        self._users = 0
        self._held: Any = None
        self._claim: FileLock | None = None

    def enter(self, folder: Path) -> Any:
        """The database in `folder`. Raises StoreError if another process, or another folder here, is in use."""
        with self.lock:
            if self._folder is None:
                self._open(folder)
            elif self._folder != folder:
                raise StoreError(
                    f"Infinity opens one folder in a process, and {self._folder} is open: close that index first"
                )
            self._users += 1
            return self._held.get_database("default_db")

    def leave(self) -> None:
        """Count one user less; the last one closes the database."""
        with self.lock:
            self._users -= 1
            if not self._users:
                self._close()

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        claim = FileLock(folder / "lock")
        try:
            claim.acquire(timeout=0)
        except Timeout as error:
            raise StoreError(
                f"the Infinity folder {folder} cannot be opened: wait for another process that uses it to end "
                "(Infinity lets one in at a time)"
            ) from error
        config = folder / "config.toml"
        names = ("log", "data", "tmp", "wal", "resource")
        config.write_text(_CONFIG.format(**{name: json.dumps(str(folder / name)) for name in names}), "utf-8")
        try:
            with _without_output():
                self._held = infinity_embedded.connect(str(folder), str(config))
        except BaseException:
            claim.release()
            raise
        self._folder, self._claim = folder, claim

    def _close(self) -> None:
        with _without_output():
            self._held.disconnect()
        self._held = self._folder = None
        if self._claim is not None:
            self._claim.release()


PROCESS = Process()


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Raise what Infinity raises about the index in `folder` as a StoreError of one line."""
    try:
        yield
    except (InfinityException, OSError, RuntimeError, RecursionError) as error:
        said = one_line(getattr(error, "error_message", "") or error)
        raise StoreError(f"the Infinity folder {folder} refused a request ({said})") from error


@contextmanager
def _without_output() -> Iterator[None]:
    """Suppress standard output, where Infinity would print its settings."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
