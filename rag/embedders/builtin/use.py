"""The multilingual Universal Sentence Encoder v3, from its weights as numpy keeps them.

A token's embedding goes through windows of 2, 3 and 5 tokens (two layers each); all is summed over the
text and goes through a small feed-forward net. Its own weights have 6 and 8 bits: they lose nothing here.
Source: Yang et al., Multilingual Universal Sentence Encoder for Semantic Retrieval (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders._tuned import FEW, USE_BUDGET
from rag.embedders.batches import batches, embed_each, fair_budget, padded
from rag.embedders.builtin.graph import INT8, Graph, Quantised, linear, mask, quantise
from rag.embedders.builtin.runtime import Array, Run, allowed_processors, on_all_processors, session
from rag.errors import ModelError
from rag.text.sanitise import well_formed
from rag.types import Vectors
from rag.weights.cache import model_path, weights_hash
from rag.weights.derived import derived

NAME = "use-multilingual-v3"
DIM = 512
MAX_TOKENS = 512
"""The model has no window of its own; a text is cut here so that its memory is bounded."""

_VERSION = 2  # of the graph below
_EPSILON = 1e-12
_TABLES = 17  # the vocabulary lies in 17 tables in turn, each with its own scale
_WIDTH = 256  # of a window's branch
_WINDOWS = {2: 0, 3: 1, 5: 2}  # tokens in a window: how many of them lie before its own
_MAX_CHARACTERS = 16 * MAX_TOKENS
_GRID = 127  # the model's weights are whole multiples of a matrix's greatest over this


class USE:
    """Token counts and vectors; safe to use from many threads."""

    def __init__(self, tokenizer: Any, table: Array, scale: Array, low: Array, run: Run) -> None:
        self._tokenizer = tokenizer
        self._table = table
        self._scale = scale
        self._low = low
        self._run = run

    @classmethod
    def load(cls) -> USE:
        """Ready to run. Raises ModelError where the weights cannot be had."""
        from sentencepiece import SentencePieceProcessor

        folder, key = model_path(NAME), identity()[:16]
        graph = derived(f"{NAME}-{key}.onnx", lambda path: write(folder, path))
        table = derived(f"{NAME}-{key}.npy", lambda path: write_table(folder, path))
        ranges = derived(f"{NAME}-{key}-ranges.npy", lambda path: write_ranges(folder, path))
        scale, low = np.load(ranges, allow_pickle=False)
        pieces = SentencePieceProcessor(model_proto=(folder / "sp.model").read_bytes())
        return cls(pieces, np.load(table, mmap_mode="r", allow_pickle=False), scale, low, session(graph))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, the two markers included, however long it is."""
        return [len(ids) for ids in self._tokens([well_formed(text) for text in texts])]

    def embed(self, texts: Sequence[str], steady: bool = False) -> Vectors:
        """``(n, 512) float32``, rows of unit length; what is beyond 512 tokens does not count.

        `steady`: a text's vector does not depend on the others.
        """
        embed = partial(self._embed, steady=steady)
        return embed_each([well_formed(text[:_MAX_CHARACTERS]) for text in texts], DIM, embed)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        encode = self._tokenizer.encode
        if len(texts) < FEW:
            return [encode(text, out_type=int, add_bos=True, add_eos=True) for text in texts]
        ids: list[list[int]] = encode(texts, out_type=int, add_bos=True, add_eos=True)
        return ids

    def _embed(self, texts: list[str], steady: bool) -> Vectors:
        tokens = [cut(ids) for ids in self._tokens(texts)]
        vectors = np.empty((len(texts), DIM), np.float32)

        def work(batch: list[int]) -> None:
            vectors[batch] = self._embed_batch([tokens[i] for i in batch])

        lengths = [len(ids) for ids in tokens]
        # Sums round otherwise beside other texts: alone, they are always the same.
        budget = 1 if steady else fair_budget(lengths, USE_BUDGET, allowed_processors())
        on_all_processors(work, list(batches(lengths, budget)))
        return vectors

    def _embed_batch(self, tokens: list[list[int]]) -> Array:
        ids, lengths = padded(tokens)
        which = (ids % _TABLES)[..., None]
        return self._run(
            {
                "bytes": self._table[ids],
                "scale": self._scale[which],
                "low": self._low[which],
                "lengths": lengths,
            }
        )


def identity() -> str:
    """sha256 of what decides the vectors: weights, graph and arithmetic."""
    return sha256(f"{weights_hash(NAME)} graph {_VERSION} int8 {INT8}".encode()).hexdigest()


def cut(ids: list[int]) -> list[int]:
    """`ids` within `MAX_TOKENS`, the closing marker at the end."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def _arrays(folder: Path) -> Any:
    try:
        return np.load(folder / "weights.npz", allow_pickle=False)
    except (OSError, ValueError) as exc:
        raise ModelError(f"{folder / 'weights.npz'} cannot be read: run `rag models verify`") from exc


def write_table(folder: Path, path: Path) -> None:
    """Write the embeddings in the order of the vocabulary: ``(pieces, 512) uint8``, to be mapped."""
    with _arrays(folder) as arrays, path.open("wb") as file:
        parts = [arrays[f"q{i + 1}"] for i in range(_TABLES)]
        np.save(file, np.stack(parts, axis=1).reshape(-1, DIM), allow_pickle=False)


def write_ranges(folder: Path, path: Path) -> None:
    """Write scale and low end of each of the tables: ``(2, 17) float32``."""
    with _arrays(folder) as arrays, path.open("wb") as file:
        np.save(file, np.stack([arrays["scale"], arrays["lo"]]), allow_pickle=False)


def write(folder: Path, path: Path) -> None:
    """Write the graph: embeddings in 6 bits with their ranges, and lengths, to ``(batch, 512) float32``."""
    with _arrays(folder) as arrays:
        w = {name: arrays[name] for name in arrays.files if not (name[0] == "q" and name[1:].isdigit())}
    g = Graph()
    inside = mask(g, "bytes", "lengths")
    features = _features(g, w, g.op("Unsqueeze", inside, g.ints(2)))
    one = g.ints(1)
    total = g.op("Squeeze", g.op("MatMul", g.op("Unsqueeze", inside, one), features), one)
    _head(g, w, total)
    tokens: list[str | int] = ["batch", "tokens"]
    inputs: dict[str, tuple[type, list[str | int]]] = {
        "bytes": (np.uint8, [*tokens, DIM]),
        "scale": (np.float32, [*tokens, 1]),
    }
    inputs |= {"low": (np.float32, [*tokens, 1]), "lengths": (np.int32, ["batch"])}
    g.save(path, inputs, "vectors")


def _features(g: Graph, w: dict[str, Array], inside: str) -> str:
    """``(batch, tokens, 512 + 3 * 256)``: a token and the windows around it."""
    x = _norm(g, _project(g, w), *(np.concatenate([w[f"{p}{n}"] for n in _WINDOWS]) for p in ("ln_g", "ln_b")))
    token = g.op("Add", g.op("Mul", g.op("Cast", "bytes", to=1), "scale"), "low")
    parts = [token]
    for branch, size in enumerate(_WINDOWS):
        span = (g.ints(branch * _WIDTH), g.ints((branch + 1) * _WIDTH), g.ints(2))
        y = g.op("Slice", x, *span)
        for layer in (1, 2):
            y = _window(g, g.op("Mul", y, inside), w[f"w{layer}_{size}"], w[f"b{layer}_{size}"], size)
        parts.append(y)
    return _norm(g, g.op("Concat", *parts, axis=2), w["ln_g"], w["ln_b"])


def _project(g: Graph, w: dict[str, Array]) -> str:
    """The embeddings times the first matrix of all branches.

    Bytes of 6 bits, and weights on the grid of 8 bits that they were trained to: nothing is rounded.
    """
    matrices = [w[f"proj{n}"] for n in _WINDOWS]
    matrix = np.concatenate(matrices, axis=1)
    grid = np.concatenate([np.full(_WIDTH, np.abs(m).max() / _GRID, np.float32) for m in matrices])
    bias = g.constant(np.concatenate([w[f"proj_b{n}"] for n in _WINDOWS]))
    # (bytes * scale + low) @ matrix = (bytes @ matrix) * scale + low * column sums
    low = g.op("Mul", "low", g.constant(matrix.sum(axis=0, dtype=np.float64).astype(np.float32)))
    product = linear(g, Quantised("bytes", "scale", 0), matrix, grid)
    return g.op("Add", g.op("Add", product, low), bias)


def _window(g: Graph, x: str, weight: Array, bias: Array, size: int) -> str:
    """``relu(window @ weight + bias) + x``; a window beyond the text's ends holds zeros."""
    before = _WINDOWS[size]
    wide = g.op("Pad", x, g.ints(0, before, 0, 0, size - 1 - before, 0))
    count = g.op("Slice", g.op("Shape", x), g.ints(1), g.ints(2))
    shifts = [
        g.op("Slice", wide, g.ints(i), g.op("Add", count, g.ints(i)) if i else count, g.ints(1))
        for i in range(size)
    ]
    y = linear(g, quantise(g, g.op("Concat", *shifts, axis=2)), weight)
    return g.op("Add", g.op("Relu", g.op("Add", y, g.constant(bias))), x)


def _norm(g: Graph, x: str, gamma: Array, beta: Array) -> str:
    parts = g.constant(gamma), g.constant(beta)
    return g.op("LayerNormalization", x, *parts, axis=-1, epsilon=_EPSILON)


def _head(g: Graph, w: dict[str, Array], total: str) -> None:
    """The sum over a text's tokens, over the root of their number, through the feed-forward net."""

    def times(x: str, name: str) -> str:
        return g.op("MatMul", x, g.constant(w[name]))

    count = g.op("Unsqueeze", g.op("Cast", "lengths", to=1), g.ints(1))
    x = g.op("Add", times(total, "cnn_W"), g.op("Mul", count, g.constant(w["cnn_b"])))
    x = g.op("Div", x, g.op("Sqrt", count))
    y = g.op("Relu", g.op("Add", times(x, "p1"), times(g.op("Relu", times(x, "d0")), "d1")))
    z = g.op("Add", times(y, "p3"), times(g.op("Relu", times(y, "d2")), "d3"))
    g.op("LpNormalization", g.op("Tanh", z), name="vectors", axis=-1, p=2)
