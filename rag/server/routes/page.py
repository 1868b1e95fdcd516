"""The page, and the description of the API that works without a network."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from rag.server.failures import Failed

router = APIRouter(include_in_schema=False)

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@router.get("/")
async def index() -> Response:
    return _file("index.html")


@router.get("/docs")
async def reference() -> Response:
    return _file("reference.html")


@router.get("/page/{name}")
async def part(name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    """One of the files beside this package; no other can be named."""
    folder = files("rag.server") / "page"
    if name not in {each.name for each in folder.iterdir()}:
        raise Failed(404, "the page has no such part", "not_found")
    kind = TYPES["." + name.rpartition(".")[2]]
    return Response((folder / name).read_bytes(), media_type=kind, headers={"cache-control": "no-cache"})
