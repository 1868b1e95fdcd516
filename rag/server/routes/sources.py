"""`/api/sources`, `/api/document`: what the index holds, and a look into it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as PathParameter
from starlette.responses import Response

from rag.api import RAG
from rag.server.documents.passages import Spot
from rag.server.documents.reading import find
from rag.server.failures import ERRORS
from rag.server.service import Service, TheService
from rag.server.shapes import Forgotten, SourceShape, SourcesReply, TextReply
from rag.types import Document

router = APIRouter(prefix="/api", tags=["documents"], responses=ERRORS)

Index = Annotated[str | None, Query(max_length=60, description="An index's name; the first where none is given.")]
Offset = Annotated[int | None, Query(ge=0, le=1 << 31)]
PageNumber = Annotated[int | None, Query(ge=1, le=1_000_000)]


@router.get("/sources")
async def list_sources(service: TheService, index: Index = None) -> SourcesReply:
    """The documents in the index; none where nothing has been read yet."""

    def listed() -> list[SourceShape]:
        rag = service.indexes.get(index)
        return [_shape(service, index, each) for each in rag.store.documents().values()]

    return SourcesReply(sources=await asyncio.to_thread(listed))


@router.get("/sources/{source:path}")
async def one_source(source: str, service: TheService, index: Index = None) -> SourceShape:
    """One document."""

    def found() -> SourceShape:
        return _shape(service, index, find(service.indexes.get(index), source))

    return await asyncio.to_thread(found)


@router.delete("/sources/{source:path}")
async def forget(source: str, service: TheService, index: Index = None) -> Forgotten:
    """Take a document out of the index. A file that was uploaded is deleted, others stay where they are."""

    def forgotten() -> None:
        rag = service.indexes.get(index)
        document = find(rag, source)
        rag.forget(source)
        if service.uploads.holds(index or service.indexes.first, document.path):
            service.uploads.remove(document.path)

    await asyncio.to_thread(forgotten)
    return Forgotten(forgotten=source)


@router.get(
    "/document/{source:path}/page/{number}.png",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
async def page_picture(
    source: str,
    number: Annotated[int, PathParameter(ge=1, le=1_000_000)],
    service: TheService,
    index: Index = None,
    width: Annotated[int, Query(ge=400, le=2000, description="Pixels.")] = 1000,
) -> Response:
    """A page of a PDF as a picture, drawn from the very file that was read."""

    def drawn() -> bytes:
        return service.documents.png(service.indexes.get(index), source, number, width)

    return Response(await asyncio.to_thread(drawn), media_type="image/png")


@router.get("/document/{source:path}/text")
async def page_text(
    source: str,
    service: TheService,
    index: Index = None,
    page: PageNumber = None,
    part: Annotated[str | None, Query(max_length=400, description="As in a citation's address.")] = None,
    start: Offset = None,
    end: Offset = None,
) -> TextReply:
    """A page's text, with the place of the passage from `start` to `end`, as a citation has them."""

    def text() -> TextReply:
        rag: RAG = service.indexes.get(index)
        return service.documents.text(rag, source, Spot(page, part, start, end))

    return await asyncio.to_thread(text)


def _shape(service: Service, index: str | None, document: Document) -> SourceShape:
    name = index or service.indexes.first
    return SourceShape(
        source=document.source,
        type=document.type,
        size=document.size,
        modified=document.modified,
        chunks=document.chunks,
        uploaded=service.uploads.holds(name, document.path),
        again=service.may_read(name, document.path),
        readable=service.documents.unchanged(document),
    )
