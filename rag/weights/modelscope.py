"""Weights from ModelScope."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote

from rag.errors import ModelError
from rag.weights.catalogue import ModelFile
from rag.weights.http import download, read_json, require_answer
from rag.weights.transfer import Job, SourceError, Staged, sha256_of


def from_modelscope(job: Job) -> Iterator[Staged]:
    """Files through plain HTTPS; MODELSCOPE_ENDPOINT names another server.

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


def list_files(name: str) -> list[ModelFile]:
    """The files that ModelScope lists for the repository. Raises ModelError."""
    endpoint = (os.environ.get("MODELSCOPE_ENDPOINT") or "https://www.modelscope.cn").rstrip("/")
    url = f"{endpoint}/api/v1/models/{name}/repo/files?Revision=master&Recursive=true"
    try:
        require_answer(endpoint)
        listed = [f for f in read_json(url)["Data"]["Files"] if f.get("Type") != "tree"]
        return [ModelFile(str(f["Path"]), int(f["Size"]), str(f.get("Sha256", ""))) for f in listed]
    except HTTPError as exc:
        exc.close()
        raise ModelError(
            f"ModelScope has no model {name!r} ({exc.code}): check the id at {endpoint}/models"
        ) from exc
    except (SourceError, OSError, HTTPException, ValueError, KeyError, TypeError) as exc:
        raise ModelError(f"ModelScope cannot say what {name!r} holds: {exc}") from exc
