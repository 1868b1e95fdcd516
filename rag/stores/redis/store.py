"""An index in Redis with search (RediSearch 2.10 or newer: Redis 8, Redis Stack 7.4): a hash for each chunk.

The chunk's terms are in a TEXT field as hexadecimal hashes, which Redis neither splits nor changes. Redis has
a BM25 of its own (with b = 0.5, and it counts deleted chunks for a while). It finds the candidates, with
corrected weights of terms, and `rag.stores.engine.store` computes their exact BM25. The other records have keys
of their own: `name:state`, `name:claims`, `name:document`, `name:segment`. How safe a commit is depends on the
server: with `appendfsync always` it survives a power cut, with Redis's default settings the last second may be
lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import numpy as np

from rag.errors import MissingExtra, StoreError
from rag.stores.common.address import Address, parse
from rag.stores.common.bm25 import K1
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, pack, unpack
from rag.stores.engine.records import chunk_fields, chunk_from
from rag.stores.engine.store import EngineStore
from rag.types import Chunk, Vector

try:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry
except ImportError as error:
    raise MissingExtra("a store in Redis", "redis", "redis") from error

_AT_ONCE = 200  # commands in one pipeline
_OLDEST = (2, 10)  # of RediSearch
_SECONDS = 60
_EF = 256  # candidates of the graph search


class RedisStore(EngineStore):
    """`rag.stores.Store` at ``redis://[[user]:password@]host:6379/name``, by TLS at ``rediss://``.

    The password may also come from REDIS_PASSWORD. Redis has search indexes only in database 0.
    """

    def __init__(self, url: str) -> None:
        address = parse(url, 6379, r"[\w.-]{1,200}")
        super().__init__(Redis(address), address.shown if address.password or address.user else url)


class Redis:
    """`rag.stores.engine.protocol.Engine` on hashes and one search index."""

    kind = "HNSW, float32"
    slack = 2.0  # Redis has b = 0.5, and the factors of terms are measured on a chunk of any length

    def __init__(self, address: Address) -> None:
        self._address = address
        self._name = address.name
        self._prefix = f"{address.name}:chunk:"
        self._client: Any = redis.Redis(
            host=address.host,
            port=address.port,
            username=address.user or None,
            password=address.password or os.environ.get("REDIS_PASSWORD") or None,
            ssl=address.scheme == "rediss",
            protocol=2,
            socket_timeout=_SECONDS,
            socket_connect_timeout=10,
            retry=Retry(NoBackoff(), 1),  # for an idle connection that the server has closed
        )
        self._checked = False

    def _key(self, kind: str) -> str:
        return f"{self._name}:{kind}"

    def state(self) -> str | None:
        with self._translate_errors():
            self._check_version()
            found = self._client.get(self._key("state"))
            if found is None:
                self._dim()
            return None if found is None else str(found.decode())

    def set_state(self, text: str) -> None:
        with self._translate_errors():
            self._client.set(self._key("state"), text)

    def create(self, dim: int) -> bool:
        with self._translate_errors():
            self._check_version()
            if self._dim() is None:
                try:
                    self._create(dim)
                except redis.ResponseError as error:
                    if "already exists" not in str(error):  # another process created it at the same moment
                        raise
            return self._dim() == dim

    def _create(self, dim: int) -> None:
        self._client.execute_command(
            "FT.CREATE", self._name, "ON", "HASH", "PREFIX", 1, self._prefix,
            "NOOFFSETS", "NOHL", "NOFIELDS", "STOPWORDS", 0,
            "SCHEMA", "number", "NUMERIC", "page", "NUMERIC", "type", "TAG", "terms", "TEXT", "NOSTEM",
            "vector", "VECTOR", "HNSW", 10, "TYPE", "FLOAT32", "DIM", dim, "DISTANCE_METRIC", "IP",
            "M", 16, "EF_CONSTRUCTION", 128,
        )  # fmt: skip

    def _dim(self) -> int | None:
        """The dimension of the index, None if there is no index. Raises StoreError for another program's index."""
        try:
            found = _pairs(self._client.execute_command("FT.INFO", self._name))
        except redis.ResponseError as error:
            if "nknown index" in str(error) or "no such index" in str(error):
                return None
            raise
        prefixes = [each.decode() for each in _pairs(found["index_definition"])["prefixes"]]
        fields = {each["identifier"].decode(): each for each in map(_pairs, found["attributes"])}
        if prefixes != [self._prefix] or set(fields) != {"number", "page", "type", "terms", "vector"}:
            raise StoreError(
                f"the search index {self._name} at {self._address.server} was not made by ragstone: "
                "name another index with --index"
            )
        return int(fields["vector"]["dim"])

    def _check_version(self) -> None:
        """Raise StoreError if RediSearch is too old; a server without it refuses the commands by itself."""
        if self._checked:
            return
        with suppress(redis.exceptions.NoPermissionError):  # the user has no right to ask
            modules = self._client.info("modules").get("modules", [])
            found = next((int(each["ver"]) for each in modules if each.get("name") == "search"), None)
            if found is not None and (found // 10_000, found // 100 % 100) < _OLDEST:  # 21005 is 2.10.5
                version = f"{found // 10_000}.{found // 100 % 100}.{found % 100}"
                raise StoreError(
                    f"the Redis at {self._address.server} has RediSearch {version}: "
                    f"{'.'.join(map(str, _OLDEST))} or newer is needed"
                )
        self._checked = True

    def drop(self) -> None:
        with self._translate_errors():
            if self._dim() is not None:
                self._client.execute_command("FT.DROPINDEX", self._name, "DD")
            self._client.unlink(*map(self._key, ("state", "claims", "document", "segment")))

    def claims(self) -> dict[str, str]:
        with self._translate_errors():
            return {k.decode(): v.decode() for k, v in self._client.hgetall(self._key("claims")).items()}

    def claim(self, owner: str, text: str | None) -> None:
        with self._translate_errors():
            if text is None:
                self._client.hdel(self._key("claims"), owner)
            else:
                self._client.hset(self._key("claims"), owner, text)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        # The whole hash is replaced: one of a killed writer may have fields that this one lacks, such as a page.
        commands: list[tuple[Any, ...]] = []
        for row in rows:
            key = f"{self._prefix}{row.number}"
            commands += [("DEL", key), ("HSET", key, *_fields(row))]
        self._send(commands)

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._send([("HSET", self._key(kind), number, body) for number, body in records.items()])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        with self._translate_errors():
            if last - first < _AT_ONCE:
                numbers = range(first, last + 1)
                found = zip(numbers, self._client.hmget(self._key(kind), list(numbers)), strict=True)
                return {number: body.decode() for number, body in found if body is not None}
            every = self._client.hgetall(self._key(kind))
        return {int(number): body.decode() for number, body in every.items() if first <= int(number) <= last}

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        for first, last in ranges:
            with self._translate_errors():
                while keys := self._client.execute_command(
                    "FT.SEARCH",
                    self._name,
                    f"@number:[{first} {last}]",
                    "NOCONTENT",
                    "LIMIT",
                    0,
                    1000,
                    "DIALECT",
                    2,
                )[1:]:
                    self._client.delete(*keys)
                for kind in ("document", "segment"):
                    numbers = [int(each) for each in self._client.hkeys(self._key(kind))]
                    if gone := [each for each in numbers if first <= each <= last]:
                        self._client.hdel(self._key(kind), *gone)

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:
        how = "HYBRID_POLICY ADHOC_BF" if exact else f"EF_RUNTIME {max(_EF, n)}"
        # Comparing all vectors is possible only for a search with a filter.
        chosen = _filter(among) or ("@number:[0 inf]" if exact else "*")
        found = self._search(
            f"({chosen})=>[KNN $k @vector $v {how} AS distance]" if chosen != "*"
            else f"*=>[KNN $k @vector $v {how} AS distance]",
            "PARAMS", 4, "k", n, "v", query.astype("<f4").tobytes(),
            "SORTBY", "distance", "RETURN", 1, "distance", "LIMIT", 0, n,
        )  # fmt: skip
        return [(self._number(key), 1 - float(row[1])) for key, row in zip(found[::2], found[1::2], strict=True)]

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:
        """The query with each term's score scaled to its weight: Redis's idf still counts deleted chunks."""
        factors = self._factors(weights)
        words = "|".join(f"{_term_query(each)}=>{{$weight: {factors[each]:.9f};}}" for each in weights)
        query = f"{_filter(among)} ({words})"
        found = self._search(query, "SCORER", "BM25STD", "WITHSCORES", "NOCONTENT", "LIMIT", 0, n)
        return [(self._number(key), float(score)) for key, score in zip(found[::2], found[1::2], strict=True)]

    def _factors(self, weights: Mapping[int, float]) -> dict[int, float]:
        """The factor for Redis's score of each term, measured on one chunk that contains the term."""
        ask = ("SCORER", "BM25STD", "WITHSCORES", "NOCONTENT", "LIMIT", 0, 1, "DIALECT", 2)
        answers = self._send([("FT.SEARCH", self._name, _term_query(each), *ask) for each in weights])
        best = {each: (self._number(a[1]), float(a[2])) for each, a in zip(weights, answers, strict=True) if a[1:]}
        held = self.counts([number for number, _ in best.values()])
        factors = dict.fromkeys(weights, 1.0)
        for each, (number, score) in best.items():
            if score > 0 and number in held:
                hashes, counts = held[number]
                count = float(counts[np.searchsorted(hashes, each)])
                factors[each] = weights[each] * count / (count + K1) / score
        return factors

    def _search(self, query: str, *arguments: Any) -> list[Any]:
        with self._translate_errors():
            answer = self._client.execute_command(
                "FT.SEARCH", self._name, query, *arguments, "TIMEOUT", 1000 * _SECONDS, "DIALECT", 2
            )
        return list(answer[1:])

    def _number(self, key: bytes) -> int:
        return int(key[len(self._prefix) :])

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        found = self._send([("HGET", f"{self._prefix}{number}", "body") for number in numbers])
        return {int(number): _chunk(body) for number, body in zip(numbers, found, strict=True) if body is not None}

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        found = self._send([("HGET", f"{self._prefix}{number}", "counts") for number in numbers])
        return {int(number): unpack(data) for number, data in zip(numbers, found, strict=True) if data is not None}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        found = self._send([("HGET", f"{self._prefix}{number}", "vector") for number in numbers])
        held = zip(numbers, found, strict=True)
        return {number: np.frombuffer(data, "<f4").astype(np.float32) for number, data in held if data is not None}

    def optimise(self) -> None:
        """Nothing to do: searches are fast without it."""

    def close(self) -> None:
        self._client.close()

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to `commands`, which are sent in pipelines."""
        answers: list[Any] = []
        with self._translate_errors():
            for i in range(0, len(commands), _AT_ONCE):
                pipeline = self._client.pipeline(transaction=False)
                for command in commands[i : i + _AT_ONCE]:
                    pipeline.execute_command(*command)
                answers += pipeline.execute()
        return answers

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise what the client raises as a StoreError of one line."""
        server = f"the Redis at {self._address.server}"
        try:
            yield
        except redis.AuthenticationError as error:
            raise StoreError(
                f"{server} refuses the password: set REDIS_PASSWORD, or give it in the URL"
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreError(
                f"{server} cannot be reached ({_line(error)}): start it, or look at the address given with --index"
            ) from error
        except redis.ResponseError as error:
            raise StoreError(f"{server} {_refusal(error)}") from error
        except redis.RedisError as error:
            raise StoreError(f"{server} failed ({_line(error)}): run the command again") from error


def _refusal(error: redis.ResponseError) -> str:
    said = _line(error)
    if "unknown command" in said and "FT." in said:
        return "has no search: Redis 8, or Redis Stack 7.4, is needed"
    if said.startswith("NOAUTH"):
        return "wants a password: set REDIS_PASSWORD, or give it in the URL"
    return f"refused a command ({said}): run the command again"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """A flat list of names and values as a dictionary; a flag at the end has no value."""
    return {name.decode().lower(): value for name, value in zip(flat[::2], flat[1::2], strict=False)}


def _filter(among: EngineFilter) -> str:
    parts: list[str] = []
    if among.ranges is not None:
        parts.append("(" + "|".join(f"@number:[{first} {last}]" for first, last in among.ranges) + ")")
    if among.type is not None:
        parts.append(f"@type:{{{_tag(among.type)}}}")
    if among.pages is not None:
        parts.append(f"@page:[{among.pages[0]} {among.pages[1]}]")
    return " ".join(parts)


def _term_query(word: int) -> str:
    """The query for a term, written twice as alternatives: Redis ignores the weight of a single word."""
    return f"(@terms:({word:08x}|{word:08x}))"


def _tag(text: str) -> str:
    """`text` in characters without a meaning in Redis's query language."""
    return f"x{text.encode('utf-8', 'surrogatepass').hex()}"


def _fields(row: Row) -> list[Any]:
    chunk = row.chunk
    words = [f"{each:08x}" for each in np.repeat(row.hashes, row.counts.astype(np.intp)).tolist()]
    body = chunk_fields(chunk)
    page = [] if chunk.page is None else ["page", chunk.page]
    return [
        "number", row.number, *page, "type", _tag(row.type), "terms", " ".join(words),
        "vector", row.vector.astype("<f4").tobytes(), "body", json.dumps(body, ensure_ascii=False),
        "counts", pack(row),
    ]  # fmt: skip


def _chunk(body: bytes) -> Chunk:
    return chunk_from(json.loads(body))
