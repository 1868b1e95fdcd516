"""`/api/status` and `/health`."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter

from ingest.loaders import TYPES
from rag import __version__
from rag.errors import RagError
from rag.server.failures import ERRORS
from rag.server.service import Service, TheService
from rag.server.shapes import Health, IndexShape, StatusReply

router = APIRouter(tags=["server"], responses=ERRORS)


@router.get("/health")
async def health() -> Health:
    """Whether the server answers; it needs no key."""
    return Health(status="ok", version=__version__)


@router.get("/api/status")
async def status(service: TheService) -> StatusReply:
    """What the server has, and what it is doing."""
    indexes = await asyncio.to_thread(lambda: [_index(service, name) for name in service.indexes])
    return StatusReply(
        version=__version__,
        indexes=indexes,
        llm=service.indexes.llm_name,
        strictness=service.indexes.settings.strictness,
        roots=[str(root) for root in service.options.roots],
        suffixes=sorted(TYPES),
        max_upload=service.options.max_upload,
        answering=service.answers.serving,
        waiting=len(service.answers.waiting),
        jobs=service.jobs.open,
    )


def _index(service: Service, name: str) -> IndexShape:
    try:
        rag = service.indexes.get(name)
        documents = rag.store.documents()
    except RagError as error:
        return IndexShape(name=name, documents=0, chunks=0, embedder="", error=str(error))
    chunks = sum(document.chunks for document in documents.values())
    return IndexShape(name=name, documents=len(documents), chunks=chunks, embedder=rag.embedder.id)
