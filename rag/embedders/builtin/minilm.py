"""all-MiniLM-L6-v2 without torch: English, 384 dimensions. See `bert` for its graph.

Source: the model's card for mean pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders.batches import Shape, embed_each, padded
from rag.embedders.builtin import bert
from rag.embedders.builtin.graph import INT8
from rag.embedders.builtin.runtime import Array, Run, fast_session, session
from rag.text.sanitise import well_formed
from rag.types import Vectors
from rag.weights.cache import model_path, weights_hash
from rag.weights.derived import derived

NAME = "all-MiniLM-L6-v2"
DIM = 384
MAX_TOKENS = 256

_VERSION = 3  # of the graph
_PEAKS = Path(__file__).parent / "minilm-peaks.npy"
_HEADS = 12
_SEP = 102
_MAX_CHARACTERS = 32 * MAX_TOKENS  # far more than the window takes; the rest need not be tokenised


class MiniLM:
    """Token counts and vectors; safe to use from many threads."""

    def __init__(self, tokenizer: Any, run: Run) -> None:
        self._tokenizer = tokenizer
        self._encoder = bert.Encoder(DIM, _inputs, run, _run_many)

    @classmethod
    def load(cls) -> MiniLM:
        """Ready to run. Raises ModelError where the weights cannot be had."""
        return cls(tokenizer(model_path(NAME)), session(_graph(fast=False)))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, [CLS] and [SEP] included, however long it is."""
        return [len(ids) for ids in self._tokens([well_formed(text) for text in texts])]

    def embed(self, texts: Sequence[str], steady: bool = False) -> Vectors:
        """``(n, 384) float32``, rows of unit length; what is beyond 256 tokens does not count.

        `steady`: a text's vector does not depend on the others.
        """
        embed = partial(self._embed, steady=steady)
        return embed_each([well_formed(text[:_MAX_CHARACTERS]) for text in texts], DIM, embed)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def _embed(self, texts: list[str], steady: bool) -> Vectors:
        return self._encoder.embed([cut(ids) for ids in self._tokens(texts)], steady)


def identity() -> str:
    """sha256 of what decides the vectors: weights, graph and arithmetic."""
    peaks = sha256(_PEAKS.read_bytes()).hexdigest()
    return sha256(f"{weights_hash(NAME)} graph {_VERSION} int8 {INT8} peaks {peaks}".encode()).hexdigest()


def tokenizer(folder: Path) -> Any:
    """The tokenizer of the model in `folder`, cutting and filling nothing."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(folder / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def cut(ids: list[int]) -> list[int]:
    """`ids` within the window, [SEP] at its end."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], _SEP]


def _inputs(tokens: list[list[int]], shape: Shape | None) -> dict[str, Array]:
    ids, lengths = padded(tokens, shape)
    return {"ids": ids, "lengths": lengths}


def _graph(fast: bool) -> Path:
    """The file of the graph, for one engine or the other."""
    folder, engine = model_path(NAME), "-openvino" if fast else ""
    return derived(f"{NAME}-{identity()[:16]}{engine}.onnx", lambda path: write(folder, path, fast))


@cache
def _run_many() -> Run:
    return fast_session(_graph(fast=True))


def write(folder: Path, path: Path, fast: bool = False) -> None:
    """Write the graph: ``ids (batch, tokens) int32, lengths (batch) int32 → (batch, 384) float32``."""
    from safetensors.numpy import load_file

    peaks = np.load(_PEAKS, allow_pickle=False).astype(np.float32)
    weights = bert.Weights(load_file(folder / "model.safetensors"), peaks, _HEADS, MAX_TOKENS)
    bert.write(path, weights, {"ids": (np.int32, ["batch", "tokens"])}, fast)
