"""Errors as clients of OpenAI's protocol read them: one sentence, a code, no trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from rag import errors
from rag.server.shapes import ErrorShape

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

log = logging.getLogger(__name__)

# The first that fits decides: (error, status, code).
KINDS: tuple[tuple[type[errors.RagError], int, str], ...] = (
    (errors.QuestionError, 400, "bad_question"),
    (errors.IndexMissing, 409, "index_missing"),
    (errors.IndexLocked, 423, "index_locked"),
    (errors.EmbedderMismatch, 409, "embedder_mismatch"),
    (errors.IndexVersion, 409, "index_version"),
    (errors.StoreError, 503, "index_failed"),
    (errors.ModelError, 503, "model_missing"),
    (errors.EmbedderError, 502, "embedder_failed"),
    (errors.LLMError, 502, "model_failed"),
    (errors.LoadError, 422, "unreadable"),
    (errors.ConfigError, 400, "bad_setting"),
    (errors.RagError, 500, "failed"),
)


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorShape, "description": "The request cannot be served: the error says why."},
    "5XX": {"model": ErrorShape, "description": "The server, its index or its model failed."},
}
"""How every route may fail, for the description of the API."""


class Failed(HTTPException):
    """What a route raises: the status, one sentence for people, a code for programs."""

    def __init__(self, status: int, why: str, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, why, headers)
        self.code = code


def error_body(status: int, why: str, code: str) -> dict[str, Any]:
    """An error in OpenAI's form."""
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"error": {"message": " ".join(why.split()), "type": kind, "param": None, "code": code}}


def failure(status: int, why: str, code: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(error_body(status, why, code), status, dict(headers or {}))


def describe_error(error: BaseException) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of whatever went wrong; only our own errors say what it was."""
    if isinstance(error, Failed):
        return error.status_code, error_body(error.status_code, str(error.detail), error.code)
    for kind, status, code in KINDS:
        if isinstance(error, kind):
            return status, error_body(status, str(error), code)
    log.error("a request failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
    return 500, error_body(
        500, "something went wrong in the server: its log says more with `rag -v serve`", "failed"
    )


def add_handlers(app: FastAPI) -> None:
    """Let every error of `app` be said in OpenAI's form."""
    from fastapi.exceptions import RequestValidationError

    async def ours(_: Request, error: Exception) -> JSONResponse:
        status, body = describe_error(error)
        return JSONResponse(body, status)

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        code = error.code if isinstance(error, Failed) else "not_found" if error.status_code == 404 else "refused"
        return failure(error.status_code, str(error.detail), code, error.headers)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return failure(422, f"{where}: {first['msg']}", "invalid_request")

    app.add_exception_handler(errors.RagError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, ours)
