"""`/api/uploads`, `/api/ingest`, `/api/jobs`: how documents come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from rag.server.documents.reading import find
from rag.server.failures import ERRORS, Failed
from rag.server.intake.jobs import confine_path
from rag.server.service import TheService
from rag.server.shapes import IngestRequest, JobShape, JobsReply, UploadReply

router = APIRouter(prefix="/api", tags=["documents"], responses=ERRORS)

Index = Annotated[str | None, Query(max_length=60, description="An index's name; the first where none is given.")]
BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


@router.put("/uploads/{name:path}", status_code=201, openapi_extra={"requestBody": BODY})
async def upload(name: str, request: Request, service: TheService, index: Index = None) -> UploadReply:
    """Keep a file, the body being its bytes and nothing else. `/api/ingest` then reads it into the index."""
    rag_name = index or service.indexes.first
    await asyncio.to_thread(service.indexes.get, rag_name)
    size = await service.uploads.save(rag_name, name, _body(request))
    return UploadReply(name=name, bytes=size)


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


@router.post("/ingest", status_code=202)
async def ingest(body: IngestRequest, service: TheService) -> JobShape:
    """Read uploads, and folders or files of the server's machine, into the index: a job."""
    index = body.index or service.indexes.first
    rag = await asyncio.to_thread(service.indexes.get, index)
    paths = [service.uploads.path(index, name) for name in body.uploads]
    if missing := [name for name, path in zip(body.uploads, paths, strict=True) if not path.is_file()]:
        raise Failed(404, f"there is no upload {missing[0][:200]!r}: send it first", "not_found")
    paths += [confine_path(path, service.options.roots) for path in body.paths]
    for source in body.sources:
        document = await asyncio.to_thread(find, rag, source)
        if not service.may_read(index, document.path):
            raise Failed(403, "this server reads only uploads and the folders that --root names", "outside_roots")
        paths.append(Path(document.path))
    if not paths:
        raise Failed(400, "there is nothing to read: name uploads, sources or paths", "nothing")
    return service.jobs.start(index, paths).shape()


@router.get("/jobs")
async def jobs(service: TheService) -> JobsReply:
    """The jobs of this server, the latest first."""
    return JobsReply(jobs=[job.shape() for job in service.jobs.all()])


@router.get("/jobs/{job}")
async def one_job(job: str, service: TheService) -> JobShape:
    """How far a job is."""
    return service.jobs.get(job).shape()


@router.delete("/jobs/{job}", status_code=202)
async def stop_job(job: str, service: TheService) -> JobShape:
    """Stop a job, at the end of the file that it reads."""
    found = service.jobs.get(job)
    found.stop.set()
    return found.shape()
