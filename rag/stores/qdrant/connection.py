"""The connection to Qdrant, and its errors in one line."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rag.errors import MissingExtra, StoreError, one_line
from rag.stores.common.address import Address

try:
    import httpx
    from qdrant_client import QdrantClient, models
    from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
except ImportError as error:
    raise MissingExtra("a store in Qdrant", "qdrant-client", "qdrant") from error

__all__ = ["UnexpectedResponse", "check_version", "connect", "models", "translate_errors"]

_OLDEST = (1, 10)  # `points/query`, and sparse vectors without an index of their own settings
_SECONDS = 60


def connect(address: Address) -> QdrantClient:
    """A client of the server; nothing is sent yet."""
    with warnings.catch_warnings():  # a key without TLS is the choice of the user who wrote the address
        warnings.filterwarnings("ignore", "Api key is used")
        return QdrantClient(
            url=f"{'https' if address.flag('tls') else 'http'}://{address.server}",
            api_key=address.password or os.environ.get("QDRANT_API_KEY") or None,
            timeout=_SECONDS,
            check_compatibility=False,  # it only warns; `check_version` raises an error
        )


def check_version(client: QdrantClient, address: Address) -> None:
    """Raise StoreError if the server is too old."""
    version = client.info().version
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise StoreError(f"the Qdrant at {address.server} is {version}: {oldest} or newer is needed")


@contextmanager
def translate_errors(address: Address) -> Iterator[None]:
    """Raise what the client raises about the server as a StoreError of one line."""
    server = f"the Qdrant at {address.server}"
    try:
        yield
    except UnexpectedResponse as error:
        raise StoreError(f"{server} {_refusal(error)}") from error
    except (ResponseHandlingException, httpx.HTTPError) as error:
        cause = error.source if isinstance(error, ResponseHandlingException) else error
        raise StoreError(
            f"{server} cannot be reached ({one_line(cause)}): start it, or look at the address given with --index"
        ) from error
    except (ApiException, ValueError) as error:
        raise StoreError(f"{server} gave an answer that is not Qdrant's ({one_line(error)})") from error


def _refusal(error: UnexpectedResponse) -> str:
    if error.status_code in (401, 403):
        return f"refuses the key (HTTP {error.status_code}): set QDRANT_API_KEY to one that may write"
    try:
        said = json.loads(error.content)["status"]["error"]
    except (ValueError, KeyError, TypeError):
        said = error.content.decode("utf-8", "replace")
    return f"refused a request (HTTP {error.status_code}: {one_line(said)}): run the command again"
