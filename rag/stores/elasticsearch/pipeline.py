"""An ingest pipeline of the cluster that computes vectors: its definition, and its result for a text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rag.errors import StoreError, one_line
from rag.stores.elasticsearch.client import Address
from rag.types import Vectors

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

_AT_ONCE = 64  # texts of one simulation
_DOES = ("processors", "on_failure")


def definition(client: Elasticsearch, at: Address) -> str:
    """The pipeline's processors as JSON, without its description. Raises StoreError if there is none."""
    _check_named(at)
    held = client.options(ignore_status=404).ingest.get_pipeline(id=at.pipeline).get(at.pipeline)
    if not isinstance(held, Mapping):
        raise StoreError(
            f"the server at {at.server} has no ingest pipeline {at.pipeline}: make it there, "
            "or name another with ?pipeline=NAME"
        )
    return json.dumps({name: held[name] for name in _DOES if name in held}, sort_keys=True)


def simulate(client: Elasticsearch, at: Address, texts: Sequence[str]) -> Vectors:
    """``(n, dim) float32``, rows of unit length: the field `vector` that the pipeline computes for each `passage`.

    Raises StoreError, also for a vector of length 0.
    """
    _check_named(at)
    rows: list[Sequence[float]] = []
    for i in range(0, len(texts), _AT_ONCE):
        docs = [{"_source": {"passage": text}} for text in texts[i : i + _AT_ONCE]]
        rows += [_vector(at, each) for each in client.ingest.simulate(id=at.pipeline, docs=docs)["docs"]]
    vectors = np.array(rows, np.float32).reshape(len(texts), -1)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise StoreError(
            f"the ingest pipeline {at.pipeline} at {at.server} made a vector of no length: mend it there"
        )
    unit: Vectors = vectors / lengths
    return unit


def _check_named(at: Address) -> None:
    if not at.pipeline:
        raise StoreError(f"the URL {at.shown} names no pipeline: add ?pipeline=NAME")


def _vector(at: Address, answer: Any) -> Sequence[float]:
    if "error" in answer:
        said = one_line(answer["error"].get("reason", answer["error"]), 200)
        raise StoreError(f"the ingest pipeline {at.pipeline} at {at.server} failed ({said}): mend it there")
    made = answer.get("doc", {}).get("_source", {}).get("vector")
    if not isinstance(made, list) or not made:
        raise StoreError(f"the ingest pipeline {at.pipeline} at {at.server} makes no field `vector` of `passage`")
    return made
