"""all-MiniLM-L6-v2 without torch: its graph written from the weights, in whole numbers.

Source: Devlin et al., BERT (2019), for the layers; the model's card for mean pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders.batch import batches, clean, embed_each, padded
from rag.embedders.graph import (
    CONTRIB,
    INT8,
    Array,
    Graph,
    Quantised,
    Run,
    derived,
    linear,
    mask,
    on_all_processors,
    quantise,
    quantise_gelu,
    session,
)
from rag.models import model_path, weights_hash
from rag.types import Vectors

NAME = "all-MiniLM-L6-v2"
DIM = 384
MAX_TOKENS = 256

_VERSION = 2  # of the graph below
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_CLS, _SEP = 101, 102
_BUDGET = 1024  # tokens a batch; 512 to 2,048 could not be told apart
_ALIKE = 128  # a text this long goes alone or with others of its length: nothing is filled up
_MAX_CHARACTERS = 32 * MAX_TOKENS  # far more than the window takes; the rest need not be tokenised


class MiniLM:
    """Token counts and vectors; safe to use from many threads."""

    def __init__(self, tokenizer: Any, run: Run) -> None:
        self._tokenizer = tokenizer
        self._run = run

    @classmethod
    def load(cls) -> MiniLM:
        """Ready to run. Raises ModelError where the weights cannot be had."""
        folder = model_path(NAME)
        graph = derived(f"{NAME}-{identity()[:16]}.onnx", lambda path: write(folder, path))
        return cls(tokenizer(folder), session(graph))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, [CLS] and [SEP] included, however long it is."""
        return [len(ids) for ids in self._tokens([clean(text) for text in texts])]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``(n, 384) float32``, rows of unit length; what is beyond 256 tokens does not count."""
        return embed_each([clean(text[:_MAX_CHARACTERS]) for text in texts], DIM, self._embed)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def _embed(self, texts: list[str]) -> Vectors:
        tokens = [cut(ids) for ids in self._tokens(texts)]
        vectors = np.empty((len(texts), DIM), np.float32)

        def work(batch: list[int]) -> None:
            ids, lengths = padded([tokens[i] for i in batch])
            vectors[batch] = self._run({"ids": ids, "lengths": lengths})

        on_all_processors(work, list(batches([len(ids) for ids in tokens], _BUDGET, _ALIKE)))
        return vectors


def identity() -> str:
    """sha256 of what decides the vectors: weights, graph and arithmetic."""
    return sha256(f"{weights_hash(NAME)} graph {_VERSION} int8 {INT8}".encode()).hexdigest()


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


def write(folder: Path, path: Path) -> None:
    """Write the graph: ``ids (batch, tokens) int32, lengths (batch) int32 → (batch, 384) float32``."""
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    g = Graph()
    x = _embeddings(g, weights)
    full = _full(g)
    for layer in range(_LAYERS):
        x = _layer(g, _under(weights, f"encoder.layer.{layer}."), x, full)
    one = g.ints(1)
    total = g.op("MatMul", g.op("Unsqueeze", mask(g, "ids", "lengths"), one), x)
    # The mean has the direction of the sum.
    g.op("LpNormalization", g.op("Squeeze", total, one), name="vectors", axis=-1, p=2)
    g.save(path, {"ids": (np.int32, ["batch", "tokens"]), "lengths": (np.int32, ["batch"])}, "vectors")


def _under(weights: dict[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _embeddings(g: Graph, weights: dict[str, Array]) -> str:
    w = _under(weights, "embeddings.")
    # Half precision: the file is smaller by two fifths.
    words = g.op("Gather", g.constant(w["word_embeddings.weight"].astype(np.float16)), "ids")
    words = g.op("Cast", words, to=1)
    places = g.constant(w["position_embeddings.weight"][:MAX_TOKENS] + w["token_type_embeddings.weight"][0])
    size = g.op("Slice", g.op("Shape", "ids"), g.ints(1), g.ints(2))
    x = g.op("Add", words, g.op("Slice", places, g.ints(0), size, g.ints(0)))
    gamma, beta = g.constant(w["LayerNorm.weight"]), g.constant(w["LayerNorm.bias"])
    return g.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=_EPSILON)


def _layer(g: Graph, w: dict[str, Array], x: str, full: str) -> str:
    rows = quantise(g, x)
    parts = [f"attention.self.{part}" for part in ("query", "key", "value")]
    projected = [linear(g, rows, w[f"{part}.weight"].T) for part in parts]
    bias = g.constant(np.concatenate([w[f"{part}.bias"] for part in parts]))
    seen = _attention(g, [*projected, bias], full)
    x = _add_and_norm(g, _under(w, "attention.output."), quantise(g, seen), x)
    inner = linear(g, quantise(g, x), w["intermediate.dense.weight"].T)
    inner = g.op("BiasGelu", inner, g.constant(w["intermediate.dense.bias"]), domain=CONTRIB)
    return _add_and_norm(g, _under(w, "output."), quantise_gelu(g, inner), x)


def _attention(g: Graph, inputs: list[str], full: str) -> str:
    """Without a mask where nothing is filled up: a few per cent faster."""
    heads = {"num_heads": _HEADS}
    plain = ("MultiHeadAttention", inputs, CONTRIB, heads)
    masked = ("MultiHeadAttention", [*inputs, "lengths"], CONTRIB, heads)
    return g.either(full, plain, masked)


def _full(g: Graph) -> str:
    """Whether all texts of the batch are as long as its longest."""
    shortest = g.op("ReduceMin", "lengths", keepdims=0)
    longest = g.op("Gather", g.op("Shape", "ids"), g.constant(np.int64(1)))
    return g.op("Equal", g.op("Cast", shortest, to=7), longest)


def _add_and_norm(g: Graph, w: dict[str, Array], rows: Quantised, x: str) -> str:
    # In place of SkipLayerNormalization, with which the whole model is slower by a sixth.
    product = g.op("Add", linear(g, rows, w["dense.weight"].T), g.constant(w["dense.bias"]))
    gamma, beta = g.constant(w["LayerNorm.weight"]), g.constant(w["LayerNorm.bias"])
    return g.op("LayerNormalization", g.op("Add", product, x), gamma, beta, axis=-1, epsilon=_EPSILON)
