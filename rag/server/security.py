"""What a request must be before anything looks at it: from whom, for whom, how large, how slow.

Source: OWASP's cheat sheets on DNS rebinding, CSRF and security headers; the Fetch Metadata specification.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rag.server.failures import failure
from rag.server.options import Options

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
UPLOADS = "/api/uploads/"
PROTECTED = ("/api/", "/v1/", "/mcp")
"""What needs the key, and what no other site's page may reach: all but the page itself and `/health`."""


class Refused(Exception):
    """A request that goes no further: its status, and why."""

    def __init__(self, status: int, why: str, code: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.why, self.code, self.headers = status, why, code, headers


class Guard:
    """The outermost layer of the server. Nothing that it lets through is larger or slower than `options` say."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app, self._options = app, options
        self._names = {"localhost", socket.gethostname().lower(), options.host, *map(str.lower, options.names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no web sockets here: the connection is closed
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        named = headers.get("origin", "") if headers.get("origin", "") in self._options.origins else ""
        begun, refusals = False, list[Refused]()

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                if refusals:
                    raise refusals[0]  # not what was made of half a body
                begun = True
                message["headers"] = [*message.get("headers", ()), *_headers(scope["path"], named)]
            await send(message)

        try:
            self._check_host(headers)
            self._check_origin(scope, headers)
            if named and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await _preflight(answer)
                return
            self._check_key(scope["path"], headers)
            if {"content-length", "transfer-encoding"} <= headers.keys():
                raise Refused(400, "a body has one length or none", "two_lengths", connection="close")
            most = self._options.max_upload if scope["path"].startswith(UPLOADS) else self._options.max_body
            if (length := headers.get("content-length", "0")).isdecimal() and int(length) > most:
                raise too_large(most)
            await self._app(scope, _bounded(receive, most, self._options.slow, refusals), answer)
        except Refused as refusal:
            refusals.clear()
            if not begun:
                response = failure(refusal.status, refusal.why, refusal.code, refusal.headers)
                await response(scope, receive, answer)
        except Exception as error:
            log.error("a request failed: %s", type(error).__name__, exc_info=log.isEnabledFor(logging.DEBUG))

    def _check_host(self, headers: Mapping[str, str]) -> None:
        """Raise Refused unless the name is ours: another may be an attacker's that leads to our address."""
        name = host_name(headers.get("host", ""))
        if name not in self._names and not _is_address(name):
            raise Refused(
                421, f"this server is not called {name[:100]!r}: reach it by its address", "unknown_host"
            )

    def _check_origin(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raise Refused for what a page of another site asks, unless its origin was named."""
        origin = headers.get("origin")
        if origin is not None:
            if origin not in self._options.origins and origin != f"{scope['scheme']}://{headers.get('host', '')}":
                raise Refused(
                    403, f"pages of {origin[:100]} may not ask this server: see --origin", "unknown_origin"
                )
        elif headers.get("sec-fetch-site") in ("cross-site", "same-site") and _protected(scope["path"]):
            raise Refused(403, "pages of other sites may not ask this server", "unknown_origin")

    def _check_key(self, path: str, headers: Mapping[str, str]) -> None:
        if not self._options.key or not _protected(path):
            return
        kind, _, key = headers.get("authorization", "").partition(" ")
        given = key.strip() if kind.lower() == "bearer" else ""
        if not secrets.compare_digest(given.encode("latin-1", "replace"), self._options.key.encode()):
            raise Refused(
                401, "this server needs its key, as Authorization: Bearer KEY", "invalid_api_key",
                **{"www-authenticate": "Bearer"},
            )  # fmt: skip


def _protected(path: str) -> bool:
    return path.startswith(PROTECTED)


def host_name(host: str) -> str:
    """The name in a Host header, without its port, in lower case."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def too_large(most: int) -> Refused:
    return Refused(
        413, f"the body is larger than {most:,} bytes, and that is the most", "too_large", connection="close"
    )


def _bounded(receive: Receive, most: int, slow: float, refusals: list[Refused]) -> Receive:
    """`receive` that raises Refused, and keeps it in `refusals`, for a body without end or one that stops."""
    read, ended = 0, False

    async def bounded() -> Message:
        nonlocal read, ended
        if ended:
            return await receive()  # now it waits for the client to leave, for as long as that takes
        try:
            message = await asyncio.wait_for(receive(), slow)
        except TimeoutError:
            refusals.append(
                Refused(408, f"nothing of the body came for {slow:.0f} s", "timeout", connection="close")
            )
            raise refusals[0] from None
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            ended = not message.get("more_body", False)
        if read > most:
            refusals.append(too_large(most))
            raise refusals[0]
        return message

    return bounded


def _headers(path: str, origin: str) -> list[tuple[bytes, bytes]]:
    found = dict(HEADERS)
    if _protected(path):
        found["cache-control"] = "no-store"
    if origin:
        found["cross-origin-resource-policy"] = "cross-origin"
        found |= {"access-control-allow-origin": origin, "vary": "Origin"}
    return [(name.encode(), value.encode()) for name, value in found.items()]


async def _preflight(send: Send) -> None:
    allowed = {
        "access-control-allow-methods": "GET, POST, PUT, DELETE",
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": "600",
    }
    headers = [(name.encode(), value.encode()) for name, value in allowed.items()]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
