"""The lock of an index in Elasticsearch: a document with an owner and a time by the server's clock."""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rag.errors import IndexLocked
from rag.stores.elasticsearch.client import Address
from rag.stores.elasticsearch.mappings import CONTROL

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

LASTS = 60.0  # seconds; a writer whose computer fails blocks others for so long
_RENEW = 15.0  # seconds between two renewals
_FRESH = 20.0  # seconds after a renewal during which writing needs no new one; a request takes 30 at most
_TAKE = """
if (ctx._source.owner == null || ctx._source.owner == params.me.owner || ctx._source.owner == params.over
    || ctx._source.until < ctx._now) {
  if (ctx._source.owner != params.me.owner) { ctx._source.since = ctx._now }
  ctx._source.putAll(params.me); ctx._source.until = ctx._now + params.lasts
} else { ctx.op = 'none' }"""
_KEEP = """
if (ctx._source.owner == params.owner) { ctx._source.until = ctx._now + params.lasts } else { ctx.op = 'none' }"""
_FREE = "if (ctx._source.owner == params.owner) { ctx._source.owner = null } else { ctx.op = 'none' }"


class Lease:
    """The right to write, renewed in the background."""

    def __init__(self, client: Elasticsearch, at: Address) -> None:
        self._client = client
        self._at = at
        self._me: dict[str, Any] = {"owner": uuid.uuid4().hex, "pid": os.getpid(), "host": platform.node()}
        self._renewed = 0.0
        self._ended = threading.Event()

    def take(self) -> None:
        """Become the writer; an expired lock, or one of a dead process, is replaced. Raises IndexLocked."""
        self._client.options(ignore_status=400).indices.create(index=self._at.control, **CONTROL)
        before = time.monotonic()
        if not self._run(_TAKE, me=self._me, over=self._dead(), upsert=True):
            raise IndexLocked(
                f"the index {self._at.shown} is being written to by {self._holder()}: wait for it to end, "
                f"or stop it, and run the command again (it counts as stopped after {LASTS:.0f} s of silence)"
            )
        self._renewed = before

    def check(self) -> None:
        """Make sure that there is enough time to write. Raises IndexLocked if another process has the lock."""
        if time.monotonic() - self._renewed > _FRESH:
            self._renew()

    def keep(self) -> None:
        """Renew until `free` is called; `check` notices failures."""
        while not self._ended.wait(_RENEW):
            with suppress(Exception):
                self._renew()

    def free(self) -> None:
        """Let others write."""
        self._ended.set()
        with suppress(Exception):
            self._run(_FREE, owner=self._me["owner"])

    def _renew(self) -> None:
        before = time.monotonic()
        if not self._run(_KEEP, owner=self._me["owner"]):
            raise IndexLocked(
                f"the index {self._at.shown} was taken over by {self._holder()} while this process was silent: "
                "run the command again"
            )
        self._renewed = before

    def _run(self, script: str, upsert: bool = False, **params: object) -> bool:
        given = {"source": script, "params": {**params, "lasts": int(1000 * LASTS)}}
        answer = self._client.update(
            index=self._at.control, id="lock", script=given, retry_on_conflict=5,
            scripted_upsert=upsert or None, upsert={} if upsert else None,
        )  # fmt: skip
        return bool(answer["result"] != "noop")

    def _held(self) -> dict[str, Any]:
        answer = self._client.options(ignore_status=404).get(index=self._at.control, id="lock")
        return dict(answer.get("_source") or {})

    def _dead(self) -> str:
        """The owner of a lock whose process ran on this computer and has ended; "" if there is none."""
        held = self._held()
        if held.get("host") != platform.node() or _runs(int(held.get("pid", 0))):
            return ""
        return str(held.get("owner") or "")

    def _holder(self) -> str:
        held = self._held()
        if not held.get("owner"):
            return "another process"
        since = datetime.fromtimestamp(held["since"] / 1000, UTC).astimezone().isoformat(timespec="seconds")
        return f"process {held['pid']} on {held['host']} since {since}"


def _runs(pid: int) -> bool:
    """Whether the process runs; True if that cannot be found out."""
    if os.name != "posix" or pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def leased(client: Elasticsearch, at: Address) -> Iterator[Lease]:
    """A context that holds the lock of the index. Raises IndexLocked."""
    lease = Lease(client, at)
    lease.take()
    thread = threading.Thread(target=lease.keep, name="ragstone-lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.free()
        thread.join()
