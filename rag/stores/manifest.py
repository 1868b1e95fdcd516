"""What an index was made with, as text; and whether two of them go together. For every engine."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rag.errors import EmbedderMismatch
from rag.types import Manifest


def to_json(manifest: Manifest) -> str:
    """The manifest as text, the same for equal manifests."""
    return json.dumps(
        {name: getattr(manifest, name) for name in ("embedder", "weights", "dim", "metric", "terms")}
        | {"chunker": dict(manifest.chunker)},
        sort_keys=True,
        ensure_ascii=False,
    )


def from_json(text: str) -> Manifest:
    """The manifest that `to_json` wrote."""
    return Manifest(**json.loads(text))


def check_same(held: Manifest, given: Manifest, url: str) -> None:
    """Raise EmbedderMismatch unless an index made with `held` can take what is made with `given`."""
    if to_json(held) == to_json(given):
        return
    again = (
        "ingest the documents again into a new index: "
        f"rag ingest FOLDER --index {url.partition(':')[0]}:NEW --embedder {given.embedder}"
    )
    if held.embedder != given.embedder:
        raise EmbedderMismatch(
            f"the index {url} was made with the embedder {held.embedder}, not with {given.embedder}: "
            f"use --embedder {held.embedder}, or {again}"
        )
    fields = ("weights", "dim", "metric", "terms", "chunker")
    shown = [(name, _show(getattr(held, name)), _show(getattr(given, name))) for name in fields]
    name, had, got = next(each for each in shown if each[1] != each[2])
    raise EmbedderMismatch(
        f"the index {url} was made with {held.embedder} and {name} {had}, "
        f"and this is {given.embedder} with {name} {got}: {again}"
    )


def _show(value: object) -> str:
    return json.dumps(dict(value), sort_keys=True) if isinstance(value, Mapping) else str(value)
