"""The connection to Redis, and its errors in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rag.errors import MissingExtra, StoreError, one_line
from rag.stores.common.address import Address

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise MissingExtra("a store in Redis", "redis", "redis") from error

SECONDS = 60
"""Until a command counts as failed."""

_OLDEST = (2, 10)  # of RediSearch


def connect(address: Address) -> Any:
    """A client of the server; nothing is sent yet."""
    return redis.Redis(
        host=address.host,
        port=address.port,
        username=address.user or None,
        password=address.password or os.environ.get("REDIS_PASSWORD") or None,
        ssl=address.scheme == "rediss",
        protocol=2,
        socket_timeout=SECONDS,
        socket_connect_timeout=10,
        retry=Retry(NoBackoff(), 1),  # for an idle connection that the server has closed
    )


def check_version(client: Any, address: Address) -> None:
    """Raise StoreError if RediSearch is too old; a server without it refuses the commands by itself."""
    with suppress(redis.exceptions.NoPermissionError):  # the user has no right to ask
        modules = client.info("modules").get("modules", [])
        found = next((int(each["ver"]) for each in modules if each.get("name") == "search"), None)
        if found is not None and (found // 10_000, found // 100 % 100) < _OLDEST:  # 21005 is 2.10.5
            version = f"{found // 10_000}.{found // 100 % 100}.{found % 100}"
            raise StoreError(
                f"the Redis at {address.server} has RediSearch {version}: "
                f"{'.'.join(map(str, _OLDEST))} or newer is needed"
            )


@contextmanager
def translate_errors(address: Address) -> Iterator[None]:
    """Raise what the client raises about the server as a StoreError of one line."""
    server = f"the Redis at {address.server}"
    try:
        yield
    except redis.AuthenticationError as error:
        raise StoreError(f"{server} refuses the password: set REDIS_PASSWORD, or give it in the URL") from error
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreError(
            f"{server} cannot be reached ({one_line(error)}): start it, or look at the address given with --index"
        ) from error
    except redis.ResponseError as error:
        raise StoreError(f"{server} {_refusal(error)}") from error
    except redis.RedisError as error:
        raise StoreError(f"{server} failed ({one_line(error)}): run the command again") from error


def _refusal(error: redis.ResponseError) -> str:
    said = one_line(error)
    if "unknown command" in said and "FT." in said:
        return "has no search: Redis 8, or Redis Stack 7.4, is needed"
    if said.startswith("NOAUTH"):
        return "wants a password: set REDIS_PASSWORD, or give it in the URL"
    return f"refused a command ({said}): run the command again"
