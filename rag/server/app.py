"""The server put together: routes inside, the guard outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from mcp.server.mcpserver import MCPServer
from platformdirs import user_data_path

from ingest.pipeline import load_options
from rag import __version__
from rag.mcp import create_mcp, streamable
from rag.server.answers.asking import AnswerRequest
from rag.server.documents.reading import Documents
from rag.server.failures import add_handlers
from rag.server.indexes import Indexes
from rag.server.intake.jobs import Jobs
from rag.server.intake.uploads import Uploads
from rag.server.options import Options
from rag.server.routes import ask, ingest, openai, page, responses, sources, status
from rag.server.service import Service
from rag.types import Answer

ABOUT = "Questions to your own documents, with answers that the documents support."


def create_service(indexes: Indexes, options: Options) -> Service:
    """What lives as long as the server does; `close` ends it."""
    folder = options.uploads or user_data_path("ragstone", appauthor=False) / "server"
    return Service(
        indexes,
        options,
        Uploads(folder, options.free_disk),
        Jobs(indexes.get),
        Documents(load_options(indexes.settings, ())),
    )


def create_app(service: Service) -> FastAPI:
    """The ASGI application; `service` is closed when it shuts down."""

    tools = [_tools(service, name) for name in (None, *service.indexes)]

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(service.close)
            for each, _path in tools:
                await stack.enter_async_context(each.session_manager.run())
            yield

    app = FastAPI(
        title="ragstone", version=__version__, description=ABOUT, docs_url=None, redoc_url=None, lifespan=life,
        separate_input_output_schemas=False,
    )  # fmt: skip
    app.state.service = service
    for routes in (ask, sources, ingest, status, openai, responses, page):
        app.include_router(routes.router)
    for each, path in tools:
        app.router.routes += streamable(each, path)
    add_handlers(app)
    return app


def _tools(service: Service, name: str | None) -> tuple[MCPServer[None], str]:
    """The MCP server over an index, the first for None, and its path."""

    async def answer(question: str) -> Answer:
        rag = await asyncio.to_thread(service.indexes.get, name)
        return await service.whole(rag, AnswerRequest(question), service.answers.enter())

    return create_mcp(lambda: service.indexes.get(name), answer), "/mcp" if name is None else f"/mcp/{name}"
