"""An index in a LangChain vector store of the caller's: dense search alone.

LangChain's stores share no way to add vectors, to get scores, or to filter. So the store is used with
`GivenVectors` in place of its embedding model, for chunks and for the other records of an index. Each chunk
has its vector in its metadata, from which cosines are computed, and a search asks for more hits until enough
of them pass the filter.
"""

from __future__ import annotations

import copy
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from rag.errors import StoreError, one_line
from rag.stores.engine.protocol import Counts, EngineFilter, Row, ScoredNumbers, pack, unpack
from rag.stores.engine.ranges import holds
from rag.stores.engine.store import EngineStore
from rag.types import Chunk, Scored, Vector, Where

_AT_ONCE = 100
_HITS = 2**31
_RECORD = "ragstone record "


class GivenVectors(Embeddings):
    """Stands in for an embedding model: it is given the vectors before the texts are added."""

    def __init__(self) -> None:
        self._vectors: dict[str, list[float]] = {}
        self.none = [1.0, 0.0]

    def give(self, texts: Sequence[str], vectors: Sequence[Vector]) -> None:
        """Set the vectors of the texts that are added next."""
        self._vectors = dict(zip(texts, (vector.tolist() for vector in vectors), strict=True))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector given for `text`; records, and texts without one, get a constant vector."""
        return self._vectors.get(text, self.none)


class LangChainStore(EngineStore):
    """`rag.stores.Store` on a LangChain store, or on two: one for chunks and one for `records`.

    The store must be able to add, get and delete by id and to search by vector. The lock between writers works
    only if the store reads its own writes. The store's own embedding model is not used.
    """

    def __init__(self, chunks: VectorStore, records: VectorStore | None = None) -> None:
        first = _with_given(chunks)
        second = first if records is None or records is chunks else _with_given(records)
        super().__init__(LangChain(first, second), f"langchain:{type(chunks).__name__}")

    def lexical(self, terms: Sequence[str], n: int, where: Where | None = None) -> list[Scored]:  # noqa: ARG002
        """No hits: LangChain stores have no lexical search. Raises IndexMissing."""
        self._state()
        return []


def _with_given(store: VectorStore) -> VectorStore:
    """`store`, or a copy of it on the same data, with `GivenVectors` for its embedding model."""
    own = store.embeddings
    if isinstance(own, GivenVectors):
        return store
    names = [name for name, value in vars(store).items() if value is own and own is not None]
    if not names:
        raise StoreError(
            f"the LangChain store {type(store).__name__} does not show where its embedding model is: "
            "make it with rag.stores.langchain.GivenVectors()"
        )
    twin = copy.copy(store)
    given = GivenVectors()
    for name in names:
        setattr(twin, name, given)
    return twin


class LangChain:
    """`rag.stores.engine.protocol.Engine` on one vector store or two."""

    kind = "as the LangChain store does"
    slack = 1.0

    def __init__(
        self, chunks: VectorStore, records: VectorStore, name: str = "", hits: int = _HITS, size: int = 60_000
    ) -> None:
        """`hits`: the most that one search returns; `size`: the most characters of one record."""
        self._chunks = chunks
        self._records = records
        self._name = name or f"the LangChain store {type(chunks).__name__}"
        self._hits = hits
        self._size = size

    def state(self) -> str | None:
        return self._get(["state"]).get("state")

    def set_state(self, text: str) -> None:
        self._put({"state": text})

    def create(self, dim: int) -> bool:
        """The caller created the store. Raises StoreError if it contains documents that are not ours."""
        given = self._records.embeddings
        if isinstance(given, GivenVectors):
            given.none = [1.0] + [0.0] * (dim - 1)  # a record's vector must fit beside those of the chunks
        with self._translate_errors():
            first = self._chunks.similarity_search_by_vector([1.0] + [0.0] * (dim - 1), k=1)
        if any("number" not in each.metadata and "key" not in each.metadata for each in first):
            raise StoreError(
                f"{self._name} holds documents that ragstone did not put there: give it a place of its own"
            )
        return True

    def drop(self) -> None:
        """Remove the claims; without a commit there is nothing else that `delete` has not removed."""
        self._remove(self._records, ["state", "claims"])

    def claims(self) -> dict[str, str]:
        return dict(json.loads(self._get(["claims"]).get("claims", "{}")))

    def claim(self, owner: str, text: str | None) -> None:
        held = self.claims()
        if text is None:
            held.pop(owner, None)
        else:
            held[owner] = text
        self._put({"claims": json.dumps(held)})

    def add_chunks(self, rows: Sequence[Row]) -> None:
        # Equal texts in one call may have different vectors: the number distinguishes them.
        texts = [f"{row.number}\n{row.chunk.text}" for row in rows]
        if isinstance(given := self._chunks.embeddings, GivenVectors):
            given.give(texts, [row.vector for row in rows])
        with self._translate_errors():
            self._chunks.add_texts(texts, [_metadata(row) for row in rows], ids=[str(row.number) for row in rows])

    def add_records(self, kind: Literal["document", "segment"], records: Mapping[int, str]) -> None:
        self._put({f"{kind}-{number}": body for number, body in records.items()})

    def records(self, kind: Literal["document", "segment"], first: int, last: int) -> dict[int, str]:
        found = self._get([f"{kind}-{number}" for number in range(first, last + 1)])
        return {int(key.rpartition("-")[2]): body for key, body in found.items()}

    def delete(self, ranges: Iterable[tuple[int, int]]) -> None:
        for first, last in ranges:
            for start in range(first, last + 1, _AT_ONCE):
                numbers = range(start, min(last + 1, start + _AT_ONCE))
                chunks = [str(each) for each in self.chunks(numbers)]
                keys = [f"{kind}-{number}" for kind in ("document", "segment") for number in numbers]
                records = list(self._get(keys))
                self._remove(self._chunks, chunks)
                self._remove(self._records, records)
                if not chunks and not records and last - first > 2**32:  # an open end: nothing was written beyond
                    break

    def nearest(self, query: Vector, n: int, among: EngineFilter, exact: bool) -> ScoredNumbers:  # noqa: ARG002
        k = min(n, self._hits)
        while True:
            with self._translate_errors():
                found = self._chunks.similarity_search_by_vector(query.tolist(), k=k)
            kept = [e.metadata for e in found if "number" in e.metadata and _lets_through(among, e.metadata)]
            if len(kept) >= n or len(found) < k or k == self._hits:
                scores = [(_int(each["number"]), float(_vector(each) @ query)) for each in kept]
                return sorted(scores, key=lambda each: -each[1])[:n]
            k = min(4 * k, self._hits)

    def matching(self, weights: Mapping[int, float], n: int, among: EngineFilter) -> ScoredNumbers:  # noqa: ARG002
        return []

    def chunks(self, numbers: Sequence[int]) -> dict[int, Chunk]:
        found = self._documents(numbers)
        return {_int(each.metadata["number"]): _chunk(each.page_content, each.metadata) for each in found}

    def _documents(self, numbers: Sequence[int]) -> list[Document]:
        """The chunks with these numbers as LangChain documents."""
        found: list[Document] = []
        for i in range(0, len(numbers), _AT_ONCE):
            with self._translate_errors():
                found += self._chunks.get_by_ids([str(each) for each in numbers[i : i + _AT_ONCE]])
        return found

    def counts(self, numbers: Sequence[int]) -> dict[int, Counts]:
        found = self._documents(numbers)
        return {_int(each.metadata["number"]): unpack(b64decode(each.metadata["counts"])) for each in found}

    def vectors(self, numbers: Sequence[int]) -> dict[int, Vector]:
        return {_int(each.metadata["number"]): _vector(each.metadata) for each in self._documents(numbers)}

    def optimise(self) -> None:
        """Nothing to do here: the store manages it."""

    def close(self) -> None:
        """Nothing: the caller opened the stores and closes them."""

    def _get(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for i in range(0, len(keys), _AT_ONCE):
            with self._translate_errors():
                documents = self._records.get_by_ids([_RECORD + each for each in keys[i : i + _AT_ONCE]])
            for each in documents:
                key = str(each.metadata["key"])
                rest = [f"{key}.{part}" for part in range(1, _int(each.metadata["parts"]))]
                found[key] = "".join([each.page_content, *self._get(rest).values()])
        return {key: found[key] for key in keys if key in found}

    def _put(self, records: Mapping[str, str]) -> None:
        """Write these records, a long one in parts; its first part is written last."""
        rows: list[tuple[str, str, int]] = []
        for key, body in records.items():
            parts = [body[i : i + self._size] for i in range(0, len(body), self._size)] or [""]
            if len(parts) > 1 and key in ("state", "claims"):  # these must be written in one step
                raise StoreError(f"{self._name} cannot take so many removals in one commit: remove fewer files")
            rows += [(f"{key}.{i}", part, 1) for i, part in enumerate(parts) if i]
            rows.append((key, parts[0], len(parts)))
        for i in range(0, len(rows), _AT_ONCE):
            some = rows[i : i + _AT_ONCE]
            with self._translate_errors():
                self._records.add_texts(
                    [body for _, body, _ in some],
                    [{"key": key, "parts": parts} for key, _, parts in some],
                    ids=[_RECORD + key for key, _, _ in some],
                )

    def _remove(self, store: VectorStore, keys: Sequence[str]) -> None:
        ids = list(keys) if store is self._chunks else [_RECORD + each for each in keys]
        if ids:
            with self._translate_errors():
                store.delete(ids)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Raise whatever the store raises as a StoreError of one line: any exception is possible."""
        try:
            yield
        except StoreError:
            raise
        except NotImplementedError as error:
            raise StoreError(f"{self._name} cannot do what an index needs ({error})") from error
        except Exception as error:
            said = one_line(error)
            if getattr(error, "status", getattr(error, "status_code", 0)) in (401, 403):
                raise StoreError(f"{self._name} refuses the key: set it to one that may write") from error
            raise StoreError(f"{self._name} failed ({said}): run the command again") from error


def _lets_through(among: EngineFilter, held: Mapping[str, object]) -> bool:
    return (
        (among.ranges is None or holds(among.ranges, _int(held["number"])))
        and (among.type is None or held["type"] == among.type)
        and (among.pages is None or among.pages[0] <= _int(held["page"]) <= among.pages[1])
    )


def _metadata(row: Row) -> dict[str, str | int]:
    """Metadata of texts and whole numbers only, which every store accepts."""
    c = row.chunk
    return {
        "number": row.number, "type": row.type, "source": c.source, "start": c.start, "end": c.end,
        "position": c.position, "page": -1 if c.page is None else c.page,
        "heading": json.dumps(c.heading, ensure_ascii=False), "place": c.place,
        "counts": b64encode(pack(row)).decode("ascii"),
        "vector": b64encode(row.vector.astype("<f4").tobytes()).decode("ascii"),
    }  # fmt: skip


def _int(number: object) -> int:
    """A whole number from the metadata: some engines keep all numbers as floats."""
    return int(float(str(number)))


def _vector(held: Mapping[str, object]) -> Vector:
    return np.frombuffer(b64decode(str(held["vector"])), "<f4").astype(np.float32)


def _chunk(text: str, held: Mapping[str, object]) -> Chunk:
    start, end, position, page = (_int(held[name]) for name in ("start", "end", "position", "page"))
    heading = tuple(json.loads(str(held["heading"])))
    source = str(held["source"])
    number, place = None if page < 0 else page, str(held.get("place", ""))
    return Chunk(source, text.partition("\n")[2], start, end, position, number, heading, place)
