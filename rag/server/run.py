"""`rag serve`: the server as a process, from its socket to its end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import closing

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag.errors import ConfigError
from rag.server.app import create_app, create_service
from rag.server.indexes import Indexes
from rag.server.options import Options
from rag.server.security import Guard

HEAD_SECONDS = 15.0


def listen(options: Options) -> socket.socket:
    """The socket at the address that `options` name. Raises ConfigError where it cannot be had."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((options.host, options.port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {options.port} is taken by another program: stop it, or use --port {options.port + 1}"
            ) from error
        raise ConfigError(f"cannot listen at {options.host}:{options.port}: {error.strerror or error}") from error
    except OverflowError as error:
        sock.close()
        raise ConfigError(f"{options.port} is no port: use one from 1 to 65535") from error
    return sock


def serve(indexes: Indexes, options: Options, ready: Callable[[str], None]) -> None:
    """Serve until somebody stops it; `ready` is told the page's address. Raises ConfigError."""
    with closing(listen(options)) as sock:
        server = server_for(create_app(create_service(indexes, options)), options)
        ready(address(sock, options.host))
        server.run(sockets=[sock])


def address(sock: socket.socket, host: str) -> str:
    """The page's address, as a browser on this machine reaches it."""
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}/"


def server_for(app: FastAPI, options: Options) -> uvicorn.Server:
    """What speaks HTTP for `app`, with limits of its own; nothing of a request is logged."""
    config = uvicorn.Config(
        Guard(app, options),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        limit_concurrency=512,
        h11_max_incomplete_event_size=64 << 10,
        ws="none",
        http=Patient,
    )
    return uvicorn.Server(config)


class Patient(H11Protocol):
    """HTTP/1.1 for clients who send a whole request head within `HEAD_SECONDS`: others are cut off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, self._cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)

    def _cut_off(self) -> None:
        """Close the connection where nothing was asked yet; look again later where something was."""
        if self.cycle is None:
            self.transport.close()
