"""all-MiniLM-L6-v2 without torch: its graph written from the weights, in whole numbers.

`minilm-peaks.npy` ``(6, 2688) float16`` holds the largest magnitude of each channel before each product of each
layer (384 before query, key and value, 384 before the attention's output, 384 and 1,536 before the two of the
feed-forward net), as `benchmarks/peaks.py` has seen them in English and Chinese text.
Source: Devlin et al., BERT (2019), for the layers; the model's card for mean pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders.batches import Shape, batches, embed_each, even_batches, fair_budget, padded
from rag.embedders.builtin.graph import CONTRIB, INT8, Graph, Steps, lay, mask, product
from rag.embedders.builtin.runtime import (
    Array,
    Run,
    allowed_processors,
    fast_session,
    has_fast_engine,
    on_all_processors,
    session,
)
from rag.text.sanitise import well_formed
from rag.types import Vectors
from rag.weights.cache import model_path, weights_hash
from rag.weights.derived import derived

NAME = "all-MiniLM-L6-v2"
DIM = 384
MAX_TOKENS = 256
MANY = 16 * 1024
"""Tokens at once from which on the faster engine is worth the half second that it takes to make ready."""

_VERSION = 3  # of the graph below
_PEAKS = Path(__file__).parent / "minilm-peaks.npy"
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_SEP = 102
_BUDGET = 1024  # tokens a batch; 512 to 2,048 could not be told apart
_STEP = 16  # 8 to 32 could not be told apart
_ALIKE = 128  # a text this long goes alone or with others of its length: nothing is filled up
_GELU_FLOOR = -0.17  # GELU is never below
_PARTS = ("query", "key", "value")
_MAX_CHARACTERS = 32 * MAX_TOKENS  # far more than the window takes; the rest need not be tokenised


class MiniLM:
    """Token counts and vectors; safe to use from many threads."""

    def __init__(self, tokenizer: Any, run: Run) -> None:
        self._tokenizer = tokenizer
        self._run = run

    @classmethod
    def load(cls) -> MiniLM:
        """Ready to run. Raises ModelError where the weights cannot be had."""
        return cls(tokenizer(model_path(NAME)), session(_graph(fast=False)))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, [CLS] and [SEP] included, however long it is."""
        return [len(ids) for ids in self._tokens([well_formed(text) for text in texts])]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """``(n, 384) float32``, rows of unit length; what is beyond 256 tokens does not count."""
        return embed_each([well_formed(text[:_MAX_CHARACTERS]) for text in texts], DIM, self._embed)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def _embed(self, texts: list[str]) -> Vectors:
        tokens = [cut(ids) for ids in self._tokens(texts)]
        vectors = np.empty((len(texts), DIM), np.float32)
        lengths = [len(ids) for ids in tokens]
        if sum(lengths) >= MANY and has_fast_engine():
            run = _run_many()
            plan: Sequence[tuple[list[int], Shape | None]] = even_batches(lengths, _BUDGET, _STEP)
        else:
            budget = fair_budget(lengths, _BUDGET, allowed_processors())
            run, plan = self._run, [(batch, None) for batch in batches(lengths, budget, _ALIKE)]

        def work(batch: tuple[list[int], Shape | None]) -> None:
            rows, shape = batch
            ids, sizes = padded([tokens[i] for i in rows], shape)
            vectors[rows] = run({"ids": ids, "lengths": sizes})[: len(rows)]

        on_all_processors(work, plan)
        return vectors


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

    weights = load_file(folder / "model.safetensors")
    peaks = np.load(_PEAKS, allow_pickle=False).astype(np.float32)
    g = Graph(fast)
    inside = mask(g, "ids", "lengths")
    x = _embeddings(g, weights)
    ends = _hidden(g, inside) if fast else _full(g)
    for layer in range(_LAYERS):
        x = _layer(g, _under(weights, f"encoder.layer.{layer}."), x, peaks[layer], ends)
    one = g.ints(1)
    total = g.op("MatMul", g.op("Unsqueeze", inside, one), x)
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


def _layer(g: Graph, w: dict[str, Array], x: str, peaks: Array, ends: str) -> str:
    before = np.split(peaks, (DIM, 2 * DIM, 3 * DIM))
    self_attention = _under(w, "attention.self.")
    matrices = [self_attention[f"{part}.weight"].T for part in _PARTS]
    steps = Steps.over(before[0], matrices)
    rows = lay(g, x, steps)
    biases = [self_attention[f"{part}.bias"] for part in _PARTS]
    projected = [product(g, rows, steps, *each) for each in zip(matrices, biases, strict=True)]
    attend = _plain_attention if g.fast else _attention
    seen = _dense(g, attend(g, projected, ends), before[1], _under(w, "attention.output.dense."))
    x = _add_and_norm(g, _under(w, "attention.output.LayerNorm."), seen, x)
    inner = _dense(g, x, before[2], _under(w, "intermediate.dense."))
    inner = g.op("Gelu", inner, domain=CONTRIB)
    outer = _dense(g, inner, before[3], _under(w, "output.dense."), _GELU_FLOOR)
    return _add_and_norm(g, _under(w, "output.LayerNorm."), outer, x)


def _dense(g: Graph, x: str, peaks: Array, w: dict[str, Array], floor: float | None = None) -> str:
    matrix = w["weight"].T
    steps = Steps.over(peaks, [matrix], floor)
    return product(g, lay(g, x, steps), steps, matrix, w["bias"])


def _attention(g: Graph, inputs: list[str], full: str) -> str:
    """Without a mask where nothing is filled up: a few per cent faster."""
    heads = {"num_heads": _HEADS}
    plain = ("MultiHeadAttention", inputs, CONTRIB, heads)
    masked = ("MultiHeadAttention", [*inputs, "", "lengths"], CONTRIB, heads)
    return g.either(full, plain, masked)


def _plain_attention(g: Graph, inputs: list[str], hidden: str) -> str:
    """In operators that OpenVINO joins to one; `hidden` ``(batch, 1, 1, tokens)`` is added to the scores."""
    apart = [g.op("Reshape", x, g.ints(0, 0, _HEADS, DIM // _HEADS)) for x in inputs]
    query, value = (g.op("Transpose", apart[i], perm=[0, 2, 1, 3]) for i in (0, 2))
    key = g.op("Transpose", apart[1], perm=[0, 2, 3, 1])
    scores = g.op("Mul", g.op("MatMul", query, key), g.constant(np.float32((DIM // _HEADS) ** -0.5)))
    seen = g.op("MatMul", g.op("Softmax", g.op("Add", scores, hidden), axis=-1), value)
    return g.op("Reshape", g.op("Transpose", seen, perm=[0, 2, 1, 3]), g.ints(0, 0, DIM))


def _hidden(g: Graph, inside: str) -> str:
    """0 for a token, -1e9 for the filling after a text's end."""
    outside = g.op("Sub", g.op("Unsqueeze", inside, g.ints(1, 2)), g.constant(np.float32(1)))
    return g.op("Mul", outside, g.constant(np.float32(1e9)))


def _full(g: Graph) -> str:
    """Whether all texts of the batch are as long as its longest."""
    shortest = g.op("ReduceMin", "lengths", keepdims=0)
    longest = g.op("Gather", g.op("Shape", "ids"), g.constant(np.int64(1)))
    return g.op("Equal", g.op("Cast", shortest, to=7), longest)


def _add_and_norm(g: Graph, w: dict[str, Array], y: str, x: str) -> str:
    # In place of SkipLayerNormalization, with which the whole model is slower by a sixth.
    gamma, beta = g.constant(w["weight"]), g.constant(w["bias"])
    return g.op("LayerNormalization", g.op("Add", y, x), gamma, beta, axis=-1, epsilon=_EPSILON)
