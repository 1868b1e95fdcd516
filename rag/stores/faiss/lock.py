"""The lock that makes a writer of an embedded index the only one, and who holds it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import IndexLocked
from rag.stores.faiss.schema import translate_errors

_LOCK = "writer.lock"
_HOLDER = "writer.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """A lock: the only writer in `folder`, of all processes of this machine. Raises IndexLocked."""
    lock = FileLock(folder / _LOCK, is_singleton=False, thread_local=False)
    with translate_errors(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise IndexLocked(
                f"the index at {folder} is being written to by {_holder(folder)}: "
                "wait for it to end, or stop it, and run the command again"
            ) from error
    holder = folder / _HOLDER
    try:
        with suppress(OSError):  # only for the message above
            holder.write_text(json.dumps(_this_process()), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _this_process() -> dict[str, int | str]:
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": platform.node(), "since": now}


def _holder(folder: Path) -> str:
    """The process that is writing, as far as is known."""
    try:
        held = json.loads((folder / _HOLDER).read_text(encoding="utf-8"))
        return f"process {held['pid']} on {held['host']} since {held['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
