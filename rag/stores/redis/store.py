"""An index in Redis with search (RediSearch 2.10 or newer: Redis 8, Redis Stack 7.4): a hash for each chunk.

The chunk's terms are in a TEXT field as hexadecimal hashes, which Redis neither splits nor changes. Redis has
a BM25 of its own (with b = 0.5, and it counts deleted chunks for a while). It finds the candidates, with
corrected weights of terms, and `rag.stores.engine.store` computes their exact BM25. The other records have keys
of their own: `name:state`, `name:claims`, `name:document`, `name:segment`. How safe a commit is depends on the
server: with `appendfsync always` it survives a power cut, with Redis's default settings the last second may be
lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from rag.stores._tuned import EF
from rag.stores.common.address import Address, parse
from rag.stores.common.bm25 import K1
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, unpack
from rag.stores.engine.store import EngineStore
from rag.stores.redis.connection import SECONDS, check_version, connect, translate_errors
from rag.stores.redis.schema import create_index, find_dim, to_chunk, to_fields, to_filter, to_term_query
from rag.types import Chunk, Vector

_AT_ONCE = 200  # commands in one pipeline


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
        self._client = connect(address)
        self._checked = False

    def _key(self, kind: str) -> str:
        return f"{self._name}:{kind}"

    def state(self) -> str | None:
        with translate_errors(self._address):
            self._check_version()
            found = self._client.get(self._key("state"))
            if found is None:
                self._dim()
            return None if found is None else str(found.decode())

    def set_state(self, text: str) -> None:
        with translate_errors(self._address):
            self._client.set(self._key("state"), text)

    def create(self, dim: int) -> bool:
        with translate_errors(self._address):
            self._check_version()
            if self._dim() is None:
                create_index(self._client, self._name, self._prefix, dim)
            return self._dim() == dim

    def _dim(self) -> int | None:
        return find_dim(self._client, self._name, self._prefix, self._address.server)

    def _check_version(self) -> None:
        if not self._checked:
            check_version(self._client, self._address)
            self._checked = True

    def drop(self) -> None:
        with translate_errors(self._address):
            if self._dim() is not None:
                self._client.execute_command("FT.DROPINDEX", self._name, "DD")
            self._client.unlink(*map(self._key, ("state", "claims", "document", "segment")))

    def claims(self) -> dict[str, str]:
        with translate_errors(self._address):
            return {k.decode(): v.decode() for k, v in self._client.hgetall(self._key("claims")).items()}

    def claim(self, owner: str, text: str | None) -> None:
        with translate_errors(self._address):
            if text is None:
                self._client.hdel(self._key("claims"), owner)
            else:
                self._client.hset(self._key("claims"), owner, text)

    def add_chunks(self, rows: Sequence[Row]) -> None:
        # The whole hash is replaced: one of a killed writer may have fields that this one lacks, such as a page.
        commands: list[tuple[Any, ...]] = []
        for row in rows:
            key = f"{self._prefix}{row.number}"
            commands += [("DEL", key), ("HSET", key, *to_fields(row))]
        self._send(commands)

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._send([("HSET", self._key(kind), number, body) for number, body in records.items()])

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        with translate_errors(self._address):
            if last - first < _AT_ONCE:
                numbers = range(first, last + 1)
                found = zip(numbers, self._client.hmget(self._key(kind), list(numbers)), strict=True)
                return {number: body.decode() for number, body in found if body is not None}
            every = self._client.hgetall(self._key(kind))
        return {int(number): body.decode() for number, body in every.items() if first <= int(number) <= last}

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        for first, last in ranges:
            with translate_errors(self._address):
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
        how = "HYBRID_POLICY ADHOC_BF" if exact else f"EF_RUNTIME {max(EF, n)}"
        # Comparing all vectors is possible only for a search with a filter.
        chosen = to_filter(among) or ("@number:[0 inf]" if exact else "*")
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
        words = "|".join(f"{to_term_query(each)}=>{{$weight: {factors[each]:.9f};}}" for each in weights)
        query = f"{to_filter(among)} ({words})"
        found = self._search(query, "SCORER", "BM25STD", "WITHSCORES", "NOCONTENT", "LIMIT", 0, n)
        return [(self._number(key), float(score)) for key, score in zip(found[::2], found[1::2], strict=True)]

    def _factors(self, weights: Mapping[int, float]) -> dict[int, float]:
        """The factor for Redis's score of each term, measured on one chunk that contains the term."""
        ask = ("SCORER", "BM25STD", "WITHSCORES", "NOCONTENT", "LIMIT", 0, 1, "DIALECT", 2)
        answers = self._send([("FT.SEARCH", self._name, to_term_query(each), *ask) for each in weights])
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
        with translate_errors(self._address):
            answer = self._client.execute_command(
                "FT.SEARCH", self._name, query, *arguments, "TIMEOUT", 1000 * SECONDS, "DIALECT", 2
            )
        return list(answer[1:])

    def _number(self, key: bytes) -> int:
        return int(key[len(self._prefix) :])

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        found = self._send([("HGET", f"{self._prefix}{number}", "body") for number in numbers])
        return {
            int(number): to_chunk(body) for number, body in zip(numbers, found, strict=True) if body is not None
        }

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
        with translate_errors(self._address):
            for i in range(0, len(commands), _AT_ONCE):
                pipeline = self._client.pipeline(transaction=False)
                for command in commands[i : i + _AT_ONCE]:
                    pipeline.execute_command(*command)
                answers += pipeline.execute()
        return answers
