"""Settings and mappings of the indexes that ragstone makes in Elasticsearch."""

from __future__ import annotations

from typing import Any

from rag.stores.elasticsearch.client import VERSION

CONTROL: dict[str, Any] = {
    "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
    "mappings": {"dynamic": False, "_meta": {"made_by": "ragstone", "format": VERSION}},
}


def chunk_index(name: str, dim: int) -> dict[str, Any]:
    """Settings and mappings of the index of chunks.

    A term's score is its count in the chunk, from which the search computes BM25. Lucene's own BM25 counts
    deleted and uncommitted chunks, differs between shards, and keeps lengths in few bits. Vectors are stored
    once, for searching, and not in `_source` too; fields that are only returned are not indexed.
    """
    kept = {"type": "object", "enabled": False}
    vector = {"type": "dense_vector", "dims": dim, "index": True, "similarity": "cosine"}
    return {
        "settings": {
            "auto_expand_replicas": "0-1",
            "refresh_interval": -1,  # a commit refreshes
            "similarity": {"count": {"type": "scripted", "script": {"source": "return query.boost * doc.freq;"}}},
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {"made_by": "ragstone", "name": name},
            "_source": {"excludes": ["vector", "terms", "passage"]},
            "properties": {
                "kind": {"type": "keyword"},
                "document": {"type": "long"},
                "id": {"type": "long"},
                "length": {"type": "integer"},
                "source": {"type": "keyword"},
                "type": {"type": "keyword"},
                "page": {"type": "integer"},
                "terms": {
                    "type": "text", "analyzer": "whitespace", "norms": False,
                    "index_options": "freqs", "similarity": "count",
                },
                "vector": {**vector, "index_options": {"type": "hnsw", "m": 16, "ef_construction": 100}},
                "passage": {"type": "text", "index": False},
                "chunk": kept,
                "record": kept,
            },
        },
    }  # fmt: skip
