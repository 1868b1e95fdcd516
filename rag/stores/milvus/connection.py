"""The connection to Milvus: a server, or a file by Milvus Lite inside this process; its errors in one line."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rag.errors import MissingExtra, StoreError, one_line
from rag.stores.common.address import Address

try:
    import grpc
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException
except ImportError as error:
    raise MissingExtra("a store in Milvus", "pymilvus", "milvus") from error

SECONDS = 60.0
"""Until a request counts as failed."""

_OLDEST = (2, 4)  # sparse vectors
_QUIET = ("pymilvus", "milvus_lite")  # they print every error; we report it in one line

# A server that was restarted is found at once, not after up to two minutes.
_GRPC = {"grpc.use_local_subchannel_pool": 1, "grpc.max_reconnect_backoff_ms": 1000}
_FILES: Counter[Path] = Counter()  # how many stores of this process have the file open
_FILES_LOCK = threading.Lock()

for _name in _QUIET:
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


def name_server(where: Address | Path) -> str:
    """What messages call the Milvus at `where`."""
    return f"the Milvus at {where.server}" if isinstance(where, Address) else f"the Milvus file {where}"


def connect(where: Address | Path) -> Any:
    """A client of the server, or of the file. Raises StoreError if the server is too old."""
    if isinstance(where, Path):
        return _open_file(where)
    scheme = "https" if where.flag("tls") else "http"
    token = f"{where.user or 'root'}:{where.password}" if where.password else os.environ.get("MILVUS_TOKEN", "")
    authority = dict(where.options).get("ca_certs", "")
    trusted = {"server_pem_path": authority} if authority else {}
    client = MilvusClient(uri=f"{scheme}://{where.server}", token=token, timeout=20, grpc_options=_GRPC, **trusted)
    version = client.get_server_version()
    number = re.match(r"v?(\d+)\.(\d+)", version)
    if number and tuple(map(int, number.groups())) < _OLDEST:
        client.close()
        raise StoreError(f"{name_server(where)} is {version}: {'.'.join(map(str, _OLDEST))} or newer is needed")
    return client


def disconnect(client: Any, where: Address | Path) -> None:
    """Close `client`, which `connect` gave for `where`."""
    client.close()
    if isinstance(where, Path):
        _close_file(where)


def _open_file(path: Path) -> Any:
    """A connection to the server that Milvus Lite runs for a file, inside this process."""
    try:
        import milvus_lite.server_manager  # noqa: F401
    except ImportError as error:
        raise MissingExtra("a Milvus file", "milvus-lite", "milvus") from error
    with _FILES_LOCK:
        path.parent.mkdir(parents=True, exist_ok=True)
        client = MilvusClient(uri=str(path.absolute()))
        _FILES[path.absolute()] += 1
    return client


def _close_file(path: Path) -> None:
    """Release the file for other processes when no store here uses it any more."""
    from milvus_lite.server_manager import server_manager_instance

    with _FILES_LOCK:
        _FILES[path.absolute()] -= 1
        if not _FILES[path.absolute()]:
            server_manager_instance.release_server(str(path.absolute()))


Rows = list[dict[str, Any]]


def query_when_loaded(client: Any, names: Sequence[str], query: Callable[[], Rows]) -> Rows:
    """What `query` gives; a restarted server may not have loaded the collections `names` yet."""
    try:
        return query()
    except MilvusException as error:
        if "load" not in str(error):
            raise
    for name in names:
        client.load_collection(name, timeout=SECONDS)
    return query()


@contextmanager
def translate_errors(server: str) -> Iterator[None]:
    """Raise what the client raises about `server` as a StoreError of one line."""
    try:
        yield
    except (MilvusException, grpc.RpcError, OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"{server} {_refusal(error)}") from error


def _refusal(error: Exception) -> str:
    said = one_line(getattr(error, "message", "") or error)
    low = said.lower()
    if isinstance(error.__cause__, grpc.Call) and "CERTIFICATE" in (why := str(error.__cause__.details())):
        said = " ".join(why.rpartition("SSL routines:")[2].split())[:200]
        return f"has a certificate that is not trusted ({said}): name its authority's with ?tls=1&ca_certs=FILE"
    if "auth" in low or "permission" in low or "privilege" in low:
        return "refuses the user or the password: set MILVUS_TOKEN to user:password, or give them in the URL"
    if "lock" in low or "open local milvus" in low:
        return "cannot be opened: wait for another process that uses it to end (Milvus Lite lets one in at a time)"
    if isinstance(error, grpc.RpcError) or "connect" in low or "unavailable" in low or "deadline" in low:
        return f"cannot be reached ({said}): start it, or look at the address given with --index"
    return f"refused a request ({said}): run the command again"
