"""The lock of an index on an engine: a claim that expires, renewed while it is held.

Each writer first writes a claim and then reads all claims. If it sees another claim that has not expired, it
removes its own. Of two writers at the same moment both may give up, but never both continue. An engine needs
only to read its own writes for that. The clocks of the machines that write must agree to within the lease.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import suppress
from datetime import datetime
from typing import Self

from rag.errors import IndexLocked, StoreError
from rag.stores.engine.protocol import Engine

LEASE = 30.0  # seconds after which a claim expires if it is not renewed


class Lease:
    """The right to write, from `__enter__` to `__exit__`. Raises IndexLocked."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._url = url
        self._owner = uuid.uuid4().hex
        self._since = datetime.now().astimezone().isoformat(timespec="seconds")
        self._until = 0.0
        self._seconds = LEASE
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="ragstone-lease", daemon=True)

    def __enter__(self) -> Self:
        self.renew()
        try:
            self._check_alone()
        except BaseException:
            with suppress(StoreError):
                self._engine.claim(self._owner, None)
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let others write."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join()
        with suppress(StoreError):  # otherwise it expires by itself
            self._engine.claim(self._owner, None)

    def check(self) -> None:
        """Raise StoreError if the lease has expired, since another process may be writing."""
        if time.monotonic() >= self._until:
            raise StoreError(
                f"the right to write to the index {self._url} ran out, since its server did not answer "
                f"for {self._seconds:.0f} seconds: run the command again; what was committed is safe"
            )

    def renew(self) -> None:
        """Claim the index for the next LEASE seconds."""
        asked = time.monotonic()
        claim = {
            "pid": os.getpid(), "host": platform.node(), "since": self._since, "until": time.time() + self._seconds
        }  # fmt: skip
        self._engine.claim(self._owner, json.dumps(claim))
        self._until = asked + self._seconds

    def _check_alone(self) -> None:
        """Raise IndexLocked if another claim is valid; expired ones are removed."""
        claims = self._engine.claims()
        if self._owner not in claims:
            raise IndexLocked(
                f"the index {self._url} is being written to by another process: run the command again"
            )
        for owner, text in claims.items():
            held = json.loads(text)
            if owner == self._owner:
                continue
            if held["until"] > time.time():
                raise IndexLocked(
                    f"the index {self._url} is being written to by process {held['pid']} on {held['host']} "
                    f"since {held['since']}: wait for it to end, or stop it and wait {self._seconds:.0f} "
                    "seconds, and run the command again"
                )
            self._engine.claim(owner, None)

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / 6):
            with suppress(StoreError):  # `check` raises if this lasts too long
                if self._owner not in self._engine.claims():  # the claim had expired, and another process writes
                    self._until = 0.0
                    return
                self.renew()
