"""TLS before a PostgreSQL server that was built without it, as a pooler or stunnel would do it."""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def by_tls(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """The port where the server at `port` is reached by TLS.

    Source: PostgreSQL's protocol, "SSL Session Encryption": a request of 8 bytes, which S grants.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = [writer]
        with suppress(OSError, asyncio.CancelledError):  # OSError: the client does not trust us
            try:
                assert await reader.readexactly(8) == struct.pack(">II", 8, 80_877_103)
                writer.write(b"S")
                await writer.start_tls(context)
                back, forth = await asyncio.open_connection("127.0.0.1", port)
                opened.append(forth)
                ways = [asyncio.ensure_future(pump(*way)) for way in ((reader, forth), (back, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in opened:
                    each.transport.abort()

    async def wait(stop: asyncio.Event) -> None:
        await stop.wait()
        served.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # transports that were aborted close in the loop

    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    served = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_until_complete, args=(wait(stop),), daemon=True)
    thread.start()
    try:
        yield int(served.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
