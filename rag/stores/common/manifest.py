"""The manifest, which records how an index was made: as text, and compared with another. For every engine."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rag.errors import EmbedderMismatch, IndexVersion
from rag.text import TERMS
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


def check_embedder(held: Manifest, embedder: str, weights: str, url: str) -> None:
    """Raise EmbedderMismatch unless this embedder made the index whose manifest is `held`."""
    if held.embedder != embedder:
        raise EmbedderMismatch(
            f"the index {url} was made with the embedder {held.embedder}, not with {embedder}: "
            f"use {_embedder_option(held.embedder)}, or {_ingest_command(url, embedder)}"
        )
    if held.weights != weights:
        raise EmbedderMismatch(
            f"the index {url} was made with {held.embedder} and weights {held.weights[:12]}, "
            f"and this is {embedder} with weights {weights[:12]}: {_ingest_command(url, embedder)}"
        )


def check_terms(manifest: Manifest, url: str) -> None:
    """Raise IndexVersion unless the index has the version of lexical terms of this ragstone."""
    if manifest.terms != TERMS:
        raise IndexVersion(
            f"the lexical terms of the index {url} have version {manifest.terms} and this ragstone "
            f"makes version {TERMS}: bring it up to date without reading files again, by "
            f"rag copy {url} {new_index_url(url)}, or {_ingest_command(url, manifest.embedder)}"
        )


def check_same(held: Manifest, given: Manifest, url: str) -> None:
    """Raise EmbedderMismatch unless an index with the manifest `held` can take documents made with `given`."""
    check_embedder(held, given.embedder, given.weights, url)
    for name in ("dim", "metric", "terms", "chunker"):
        had, got = _show(getattr(held, name)), _show(getattr(given, name))
        if had != got:
            raise EmbedderMismatch(
                f"the index {url} was made with {held.embedder} and {name} {had}, "
                f"and this is {given.embedder} with {name} {got}: {_ingest_command(url, given.embedder)}"
            )


def _embedder_option(embedder: str) -> str:
    """How the user chooses `embedder`; a cluster's pipeline is chosen in the URL of its index."""
    kind, _, name = embedder.partition(":")
    return f"?pipeline={name} in its URL" if kind == "pipeline" else f"--embedder {embedder}"


def _ingest_command(url: str, embedder: str) -> str:
    chosen = "" if embedder.startswith("pipeline:") else f" --embedder {embedder}"
    command = f"rag ingest FOLDER --index {new_index_url(url)}{chosen}"
    return f"ingest the documents again into a new index: {command}"


def new_index_url(url: str) -> str:
    """The URL of an index named "new", a name that every engine accepts, on the engine of `url`."""
    scheme, server, rest = url.partition("://")
    if not server:
        return f"{url.partition(':')[0]}:new"
    place, _, options = rest.partition("?")
    if scheme == "postgresql":  # the path names the database, and an option names the index
        kept = [each for each in options.split("&") if each and not each.startswith("table=")]
        return f"{scheme}://{place}?{'&'.join([*kept, 'table=new'])}"
    return f"{scheme}://{place.partition('/')[0]}/new{f'?{options}' if options else ''}"


def _show(value: object) -> str:
    return json.dumps(dict(value), sort_keys=True) if isinstance(value, Mapping) else str(value)
