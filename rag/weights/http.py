"""Model files from the model hub and from ModelScope."""

from __future__ import annotations

import json
import queue
import ssl
import threading
import time
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from rag.weights.transfer import BLOCK, Meter, SourceError

PROBE_SECONDS = 3.0
_READ_SECONDS = 20.0
_TRIES = 4
_LISTING = 10_000_000
"""Bytes of the longest listing that is read."""
_AGENT = {"User-Agent": "ragstone"}


def require_answer(endpoint: str) -> None:
    """Raise SourceError within seconds if `endpoint` does not answer.

    Clients retry for minutes, and a machine without access should not wait for them. The result is
    remembered until the process ends.
    """
    if reason := _no_answer(endpoint):
        raise SourceError(f"{endpoint} cannot be reached: {reason}")


@cache
def _no_answer(endpoint: str) -> str:
    """Why `endpoint` does not answer, or "". Runs in a thread: looking up a host name has no time limit."""
    if not endpoint.startswith(("https://", "http://")):
        return "it is no http address"
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_ask(endpoint)), daemon=True).start()
    try:
        return answer.get(timeout=PROBE_SECONDS + 0.5)
    except queue.Empty:
        return f"no answer within {PROBE_SECONDS:.0f} s"


def _ask(endpoint: str) -> str:
    try:
        urlopen(Request(endpoint, method="HEAD", headers=_AGENT), timeout=PROBE_SECONDS).close()  # noqa: S310
    except HTTPError as exc:
        exc.close()
        return f"it answers {exc.code}" if exc.code >= 500 else ""
    except URLError as exc:
        # The client has certificates of its own, which may accept this server.
        return "" if isinstance(exc.reason, ssl.SSLCertVerificationError) else str(exc.reason)
    except (OSError, HTTPException) as exc:
        return str(exc) or type(exc).__name__
    return ""


def read_json(url: str) -> Any:
    """What `url` answers, as JSON: a listing. Raises HTTPError, OSError, HTTPException, ValueError."""
    with urlopen(Request(url, headers=_AGENT), timeout=_READ_SECONDS) as reply:  # noqa: S310
        return json.loads(reply.read(_LISTING))


def download(url: str, to: Path, size: int, meter: Meter) -> None:
    """Download `url` to the file `to`, continuing an earlier download. Raises SourceError."""
    to.parent.mkdir(parents=True, exist_ok=True)
    reason = ""
    for attempt in range(_TRIES):
        time.sleep(attempt * 0.5)
        try:
            _get(url, to, size, meter)
        except HTTPError as exc:
            exc.close()
            reason = f"it answers {exc.code}"
            if exc.code < 500:
                break
        except (URLError, HTTPException, TimeoutError, ConnectionError) as exc:
            reason = str(exc)
        else:
            if to.stat().st_size == size:
                return
            reason = f"the connection closed after {to.stat().st_size} of {size} bytes"
    raise SourceError(f"{url}: {reason}")


def _get(url: str, to: Path, size: int, meter: Meter) -> None:
    """One request for the missing part of `to`; a server that ignores ranges sends the whole file again."""
    have = to.stat().st_size if to.exists() else 0
    if have == size:
        return
    if have > size:
        have = 0
    headers = _AGENT | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=_READ_SECONDS) as reply:  # noqa: S310
        if not str(reply.headers.get("Content-Range", "")).startswith(f"bytes {have}-"):
            have = 0
        with to.open("ab" if have else "wb") as out:
            while block := reply.read1(BLOCK):
                out.write(block)
                have += len(block)
                meter.at(have)
                if have > size:
                    raise SourceError(f"{url} is larger than the catalogue's {size} bytes")
