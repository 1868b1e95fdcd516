"""BERT encoders without torch: graphs written from weights, in whole numbers, and batches of tokens through them.

A file of peaks ``(layers, 3 * dim + inner) float16`` holds the largest magnitude of each channel before each
product of each layer (`dim` before query, key and value, `dim` before the attention's output, `dim` and `inner`
before the two of the feed-forward net), as `benchmarks/peaks.py` has seen them in English and Chinese text.
Source: Devlin et al., BERT (2019), for the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag.embedders._tuned import BERT_ALIKE, BERT_BUDGET, BERT_STEP, MANY
from rag.embedders.batches import Shape, batches, even_batches, fair_budget
from rag.embedders.builtin.graph import CONTRIB, Graph, Steps, lay, mask, product
from rag.embedders.builtin.runtime import Array, Run, allowed_processors, has_fast_engine, on_all_processors
from rag.types import Vectors

_EPSILON = 1e-12
_GELU_FLOOR = -0.17  # GELU is never below
_PARTS = ("query", "key", "value")

Inputs = Callable[[list[list[int]], Shape | None], dict[str, Array]]
"""Token ids of a batch, and the shape to fill it up to, as the graph takes them."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Token ids to vectors, from any thread: `few` at a time by one engine, many by the one that `many` gives."""

    dim: int
    inputs: Inputs
    few: Run
    many: Callable[[], Run]

    def embed(self, tokens: Sequence[list[int]], steady: bool = False) -> Vectors:
        """``(n, dim) float32``, rows of unit length; `steady`: a text's vector does not depend on the others."""
        vectors = np.empty((len(tokens), self.dim), np.float32)
        lengths = [len(ids) for ids in tokens]
        if (steady or sum(lengths) >= MANY) and has_fast_engine():
            run = self.many()  # its shapes are few, and what fills them up changes nothing
            plan: Sequence[tuple[list[int], Shape | None]] = even_batches(lengths, BERT_BUDGET, BERT_STEP)
        elif steady:
            run, plan = self.few, [([i], None) for i in sorted(range(len(lengths)), key=lengths.__getitem__)]
        else:
            budget = fair_budget(lengths, BERT_BUDGET, allowed_processors())
            run, plan = self.few, [(batch, None) for batch in batches(lengths, budget, BERT_ALIKE)]

        def work(batch: tuple[list[int], Shape | None]) -> None:
            rows, shape = batch
            vectors[rows] = run(self.inputs([tokens[i] for i in rows], shape))[: len(rows)]

        on_all_processors(work, plan)
        return vectors


@dataclass(frozen=True, slots=True)
class Weights:
    """What a graph is made of: arrays by their names in Hugging Face's BertModel, peaks, and heads of attention.

    `window` tokens are read at most.
    """

    arrays: Mapping[str, Array]
    peaks: Array
    heads: int
    window: int

    @property
    def dim(self) -> int:
        return int(self.arrays["embeddings.LayerNorm.weight"].shape[0])


def write(path: Path, weights: Weights, inputs: Mapping[str, tuple[type, list[str | int]]], fast: bool) -> None:
    """Write the graph: `inputs` and ``lengths (batch) int32`` to ``(batch, dim) float32``, for either engine.

    The first of `inputs` are a batch's tokens: ``(batch, tokens) int32``, or their embeddings with `dim` numbers.
    """
    g = Graph(fast)
    tokens = next(iter(inputs))
    inside = mask(g, tokens, "lengths")
    x = _embeddings(g, weights, tokens, embedded=len(inputs[tokens][1]) > 2)
    ends = _hidden(g, inside) if fast else _full(g, tokens)
    for layer, peaks in enumerate(weights.peaks):
        x = _layer(g, _Layer(_under(weights.arrays, f"encoder.layer.{layer}."), peaks, weights), x, ends)
    one = g.ints(1)
    total = g.op("Squeeze", g.op("MatMul", g.op("Unsqueeze", inside, one), x), one)
    # The mean has the direction of the sum.
    g.op("LpNormalization", total, name="vectors", axis=-1, p=2)
    g.save(path, {**inputs, "lengths": (np.int32, ["batch"])}, "vectors")


@dataclass(frozen=True, slots=True)
class _Layer:
    arrays: Mapping[str, Array]
    peaks: Array
    of: Weights


def _under(weights: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _embeddings(g: Graph, weights: Weights, tokens: str, embedded: bool) -> str:
    w = _under(weights.arrays, "embeddings.")
    words = tokens
    if not embedded:
        # Half precision: the file is smaller by two fifths.
        table = g.constant(w["word_embeddings.weight"].astype(np.float16))
        words = g.op("Cast", g.op("Gather", table, tokens), to=1)
    places = g.constant(w["position_embeddings.weight"][: weights.window] + w["token_type_embeddings.weight"][0])
    size = g.op("Slice", g.op("Shape", tokens), g.ints(1), g.ints(2))
    x = g.op("Add", words, g.op("Slice", places, g.ints(0), size, g.ints(0)))
    gamma, beta = g.constant(w["LayerNorm.weight"]), g.constant(w["LayerNorm.bias"])
    return g.op("LayerNormalization", x, gamma, beta, axis=-1, epsilon=_EPSILON)


def _layer(g: Graph, layer: _Layer, x: str, ends: str) -> str:
    w, dim, heads = layer.arrays, layer.of.dim, layer.of.heads
    before = np.split(layer.peaks, (dim, 2 * dim, 3 * dim))
    self_attention = _under(w, "attention.self.")
    matrices = [self_attention[f"{part}.weight"].T for part in _PARTS]
    steps = Steps.over(before[0], matrices)
    rows = lay(g, x, steps)
    biases = [self_attention[f"{part}.bias"] for part in _PARTS]
    projected = [product(g, rows, steps, *each) for each in zip(matrices, biases, strict=True)]
    attended = (
        _plain_attention(g, projected, ends, heads, dim) if g.fast else _attention(g, projected, ends, heads)
    )
    seen = _dense(g, attended, before[1], _under(w, "attention.output.dense."))
    x = _add_and_norm(g, _under(w, "attention.output.LayerNorm."), seen, x)
    inner = _dense(g, x, before[2], _under(w, "intermediate.dense."))
    inner = g.op("Gelu", inner, domain=CONTRIB)
    outer = _dense(g, inner, before[3], _under(w, "output.dense."), _GELU_FLOOR)
    return _add_and_norm(g, _under(w, "output.LayerNorm."), outer, x)


def _dense(g: Graph, x: str, peaks: Array, w: dict[str, Array], floor: float | None = None) -> str:
    matrix = w["weight"].T
    steps = Steps.over(peaks, [matrix], floor)
    return product(g, lay(g, x, steps), steps, matrix, w["bias"])


def _attention(g: Graph, inputs: list[str], full: str, heads: int) -> str:
    """Without a mask where nothing is filled up: a few per cent faster."""
    plain = ("MultiHeadAttention", inputs, CONTRIB, {"num_heads": heads})
    masked = ("MultiHeadAttention", [*inputs, "", "lengths"], CONTRIB, {"num_heads": heads})
    return g.either(full, plain, masked)


def _plain_attention(g: Graph, inputs: list[str], hidden: str, heads: int, dim: int) -> str:
    """In operators that OpenVINO joins to one; `hidden` ``(batch, 1, 1, tokens)`` is added to the scores."""
    apart = [g.op("Reshape", x, g.ints(0, 0, heads, dim // heads)) for x in inputs]
    query, value = (g.op("Transpose", apart[i], perm=[0, 2, 1, 3]) for i in (0, 2))
    key = g.op("Transpose", apart[1], perm=[0, 2, 3, 1])
    scores = g.op("Mul", g.op("MatMul", query, key), g.constant(np.float32((dim // heads) ** -0.5)))
    seen = g.op("MatMul", g.op("Softmax", g.op("Add", scores, hidden), axis=-1), value)
    return g.op("Reshape", g.op("Transpose", seen, perm=[0, 2, 1, 3]), g.ints(0, 0, dim))


def _hidden(g: Graph, inside: str) -> str:
    """0 for a token, -1e9 for the filling after a text's end."""
    outside = g.op("Sub", g.op("Unsqueeze", inside, g.ints(1, 2)), g.constant(np.float32(1)))
    return g.op("Mul", outside, g.constant(np.float32(1e9)))


def _full(g: Graph, tokens: str) -> str:
    """Whether all texts of the batch are as long as its longest."""
    shortest = g.op("ReduceMin", "lengths", keepdims=0)
    longest = g.op("Gather", g.op("Shape", tokens), g.constant(np.int64(1)))
    return g.op("Equal", g.op("Cast", shortest, to=7), longest)


def _add_and_norm(g: Graph, w: dict[str, Array], y: str, x: str) -> str:
    # In place of SkipLayerNormalization, with which the whole model is slower by a sixth.
    gamma, beta = g.constant(w["weight"]), g.constant(w["bias"])
    return g.op("LayerNormalization", g.op("Add", y, x), gamma, beta, axis=-1, epsilon=_EPSILON)
