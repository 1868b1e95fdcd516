"""An index in Pinecone through LangChain's class: dense search alone, two namespaces of one Pinecone index.

`name` has the chunks and `name-records` the other records. Pinecone returns at most 1,000 hits with their
metadata: a filter that few of many chunks pass may find fewer than there are. Pinecone shows writes only after
a while, so writing a record waits until it can be read.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from rag.errors import ConfigError, MissingExtra, StoreError
from rag.stores.common.address import parse
from rag.stores.engine.store import EngineStore
from rag.stores.langchain import GivenVectors, LangChain, LangChainStore

try:
    from langchain_pinecone import PineconeVectorStore
    from pinecone import Pinecone
except ImportError as error:
    raise MissingExtra("a store in Pinecone", "langchain-pinecone", "pinecone") from error

_HITS = 1000  # Source: Pinecone's limits for a query that gives metadata
_SIZE = 30_000  # characters of a record; Pinecone accepts 40 kB of metadata
_SECONDS = 30.0


class PineconeStore(LangChainStore):
    """`rag.stores.Store` at ``pinecone://INDEX-HOST/name``; the key comes from PINECONE_API_KEY.

    INDEX-HOST is what Pinecone shows for an index of the embedder's dimension with the metric cosine.
    """

    def __init__(self, url: str) -> None:
        address = parse(url, 443, r"[\w-]{1,200}", ("tls",))
        key = os.environ.get("PINECONE_API_KEY") or address.password
        if not key:
            raise ConfigError(f"the index {address.shown} needs a key: set PINECONE_API_KEY")
        plain = dict(address.options).get("tls") == "0"
        index = Pinecone(api_key=key).Index(host=f"{'http' if plain else 'https'}://{address.server}")
        made = [_Vectors(index, GivenVectors(), namespace=f"{address.name}{end}") for end in ("", "-records")]
        engine = LangChain(made[0], made[1], f"the Pinecone at {address.server}", _HITS, _SIZE)
        EngineStore.__init__(self, engine, address.shown if address.password else url)


class _Vectors(PineconeVectorStore):  # type: ignore[misc]
    """LangChain's class, extended: get by id, and wait until a write can be read."""

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        found = self.index.fetch(ids=list(ids), namespace=self._namespace).vectors
        documents = []
        for each in ids:
            if each in found:
                metadata = dict(found[each].metadata or {})
                text = str(metadata.pop(self._text_key))
                documents.append(Document(id=each, page_content=text, metadata=metadata))
        return documents

    def add_texts(self, texts: Any, metadatas: Any = None, ids: Any = None, **options: Any) -> list[str]:
        # One request after the other: LangChain would take its threads from a multiprocessing pool.
        added: list[str] = super().add_texts(texts, metadatas, ids, async_req=False, **options)
        end = time.monotonic() + _SECONDS
        while not any(each.page_content == texts[-1] for each in self.get_by_ids(added[-1:])):
            if time.monotonic() > end:
                raise StoreError(
                    f"Pinecone did not show what was written within {_SECONDS:.0f} seconds: try again"
                )
            time.sleep(0.2)
        return added
