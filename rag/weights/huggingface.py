"""Weights from Hugging Face's hub."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast
from urllib.error import HTTPError

from rag.weights.catalogue import ModelFile
from rag.weights.http import read_json, require_answer
from rag.weights.transfer import BLOCK, Job, Meter, SourceError, Staged, folder_size, sha256_of, stage


def from_hub(job: Job) -> Iterator[Staged]:
    """Files through huggingface_hub: from its own cache if they are there, else from HF_ENDPOINT."""
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


def list_files(name: str) -> list[ModelFile]:
    """The large files that the hub lists for the repository, with the sha256 that it tells. Raises SourceError.

    Address: ENDPOINT/api/models/NAME/tree/main?recursive=true; a small file has no sha256 there and is left out.
    """
    _raise_if_offline()
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    require_answer(endpoint)
    url = f"{endpoint}/api/models/{name}/tree/main?recursive=true"
    try:
        large = [file for file in read_json(url) if file.get("lfs")]
        return [ModelFile(str(f["path"]), int(f["lfs"]["size"]), str(f["lfs"]["oid"])) for f in large]
    except HTTPError as exc:
        exc.close()
        raise SourceError(f"{endpoint} has no {name} ({exc.code})") from exc
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise SourceError(f"{endpoint} cannot say what {name} holds: {exc}") from exc


def _raise_if_offline() -> None:
    from huggingface_hub import is_offline_mode

    if is_offline_mode() or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise SourceError("HF_HUB_OFFLINE is set")


def _hub_download(repo: str, path: str, to: Path) -> Path:
    from httpx2 import HTTPError as ClientError
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, XetDownloadError
    from huggingface_hub.utils.tqdm import silent_tqdm

    _raise_if_offline()
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    require_answer(endpoint)
    bar = cast(Any, silent_tqdm)  # the command line draws its own progress bar
    failures = (HfHubHTTPError, ClientError, XetDownloadError, EOFError, ConnectionError, FileNotFoundError)
    try:
        return Path(hf_hub_download(repo, path, local_dir=to, endpoint=endpoint.rstrip("/"), tqdm_class=bar))
    except failures as exc:
        raise SourceError(f"{endpoint}: {str(exc).strip().splitlines()[0]}") from exc
    except OSError as exc:
        if exc.errno is not None:  # an error of the disk, not of the hub
            raise
        raise SourceError(f"{endpoint}: {exc}") from exc


@contextmanager
def _watched(folder: Path, meter: Meter) -> Iterator[None]:
    """Report the growth of `folder` to `meter` inside this context."""
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
