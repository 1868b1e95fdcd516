"""Model files from the model hub and from ModelScope."""

from __future__ import annotations

import os
import queue
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from rag.weights.fetch import BLOCK, Job, Meter, SourceError, Staged, folder_size, sha256_of, stage

PROBE_SECONDS = 3.0
_READ_SECONDS = 20.0
_TRIES = 4
_AGENT = {"User-Agent": "ragstone"}


def from_hub(job: Job) -> Iterator[Staged]:
    """Files by huggingface_hub: from its own cache if they are there, else from HF_ENDPOINT."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import try_to_load_from_cache

    for file in job.files:
        cached = try_to_load_from_cache(str(job.model.hub), file.path)
        if isinstance(cached, str) and sha256_of(Path(cached)) == file.sha256:
            yield stage(file, _blocks(Path(cached)), job.staging / "hub" / file.path, job.meter)
            continue
        with _watched(job.staging / "hub", job.meter):
            path = _hub_download(str(job.model.hub), file.path, job.staging / "hub")
        job.meter.finish(file.size)
        yield Staged(file, path, sha256_of(path))


def from_modelscope(job: Job) -> Iterator[Staged]:
    """Files by plain HTTPS; MODELSCOPE_ENDPOINT names another server.

    Addresses: ENDPOINT/models/REPOSITORY/resolve/master/PATH, ranges allowed.
    """
    endpoint = os.environ.get("MODELSCOPE_ENDPOINT") or "https://www.modelscope.cn"
    require_answer(endpoint)
    for file in job.files:
        url = f"{endpoint.rstrip('/')}/models/{job.model.modelscope}/resolve/master/{quote(file.path)}"
        path = job.staging / "modelscope" / file.path
        download(url, path, file.size, job.meter)
        job.meter.finish(file.size)
        yield Staged(file, path, sha256_of(path))


def require_answer(endpoint: str) -> None:
    """Raise SourceError, within seconds, where `endpoint` does not answer.

    Clients retry for minutes; a machine without the hub should not wait for them. The outcome is
    remembered for the life of the process.
    """
    if reason := _no_answer(endpoint):
        raise SourceError(f"{endpoint} cannot be reached: {reason}")


@cache
def _no_answer(endpoint: str) -> str:
    """Why `endpoint` does not answer, or "". In a thread, since looking up a name knows no time limit."""
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
        # The client brings certificates of its own, which may well know this one.
        return "" if isinstance(exc.reason, ssl.SSLCertVerificationError) else str(exc.reason)
    except (OSError, HTTPException) as exc:
        return str(exc) or type(exc).__name__
    return ""


def _hub_download(repo: str, path: str, to: Path) -> Path:
    from httpx2 import HTTPError as ClientError
    from huggingface_hub import hf_hub_download, is_offline_mode
    from huggingface_hub.errors import HfHubHTTPError, XetDownloadError
    from huggingface_hub.utils.tqdm import silent_tqdm

    if is_offline_mode() or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise SourceError("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    require_answer(endpoint)
    bar = cast(Any, silent_tqdm)  # the command line draws the only progress bar
    failures = (HfHubHTTPError, ClientError, XetDownloadError, EOFError, ConnectionError, FileNotFoundError)
    try:
        return Path(hf_hub_download(repo, path, local_dir=to, endpoint=endpoint.rstrip("/"), tqdm_class=bar))
    except failures as exc:
        raise SourceError(f"{endpoint}: {str(exc).strip().splitlines()[0]}") from exc
    except OSError as exc:
        if exc.errno is not None:  # the disk's, not the hub's
            raise
        raise SourceError(f"{endpoint}: {exc}") from exc


@contextmanager
def _watched(folder: Path, meter: Meter) -> Iterator[None]:
    """Tell `meter` how `folder` grows meanwhile."""
    before, stop = folder_size(folder), threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            meter.at(folder_size(folder) - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def download(url: str, to: Path, size: int, meter: Meter) -> None:
    """Bring `url` to `to`, going on where an earlier try ended. Raises SourceError."""
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
    """One request for what is missing of `to`; a server that ignores ranges sends all of it again."""
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
