"""Writing ONNX graphs by hand, with matrix products in whole numbers.

Activations are quantised by `Steps` that are the same for every text, or each row (token) by itself (`quantise`),
never with the batch: neighbours have no say in a text's vector. Weights have 7 bits and activations 8, so that
two products always fit the 16 bits in which x86 processors without VNNI add them up: the sums of whole numbers
are exact on every processor.

The rounding of float32 still differs between engines, batch shapes and processors, and decides now and then on
which side of a step a value falls: `tests/embedders/test_embedders.py` bounds what that does to a vector.
Source: microsoft/onnxruntime, commit 9322994, for the range of weights that cannot overflow, [-64, 63].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders._tuned import ALPHA
from rag.embedders.builtin.runtime import Array

Node = tuple[str, list[str], str, dict[str, Any]]

CONTRIB = "com.microsoft"
INT8 = 1
"""Version of `quantise` and `linear`; part of the name of every model that uses them."""

_FLOAT, _INT32 = 1, 6  # TensorProto.DataType
_WEIGHT_MAX = 63
_ROW_ZERO, _ROW_MAX = 128, 127


class Graph:
    """A graph in the making: `op` adds a node and returns the name of its output.

    `fast`: to be run by OpenVINO, which finds whole numbers by pairs of QuantizeLinear and DequantizeLinear;
    otherwise by onnxruntime, in operators of its own.
    """

    def __init__(self, fast: bool = False) -> None:
        self.fast = fast
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, value: Array | np.generic) -> str:
        """A tensor that is part of the model."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, name: str | None = None, domain: str = "", **attributes: Any) -> str:
        """A node with one output, called `name` if that is given."""
        from onnx import helper

        name = name or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        return name

    def either(self, condition: str, yes: Node, no: Node) -> str:
        """The output of one of two nodes, given as their kinds, inputs, domains and attributes."""
        from onnx import helper

        def branch(node: Node) -> Any:
            kind, inputs, domain, attributes = node
            out = f"t{len(self._nodes)}_{len(attributes)}_{len(inputs)}"
            made = helper.make_node(kind, inputs, [out], domain=domain, **attributes)
            return helper.make_graph([made], out, [], [helper.make_tensor_value_info(out, _FLOAT, None)])

        return self.op("If", condition, then_branch=branch(yes), else_branch=branch(no))

    def ints(self, *values: int) -> str:
        """An int64 vector, as axes and shapes are given."""
        return self.constant(np.array(values, np.int64))

    def save(self, path: Path, inputs: Mapping[str, tuple[type, list[str | int]]], output: str) -> None:
        """Write the model, checked, to `path`; `inputs` are dtype and shape by name."""
        import onnx
        from onnx import TensorProto, helper

        into = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in inputs.items()
        ]
        out = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self._nodes, "ragstone", into, out, self._constants)
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)


@dataclass(frozen=True, slots=True)
class Steps:
    """How 8 bits are laid over activations, for every text alike: ``x ≈ (bytes - zero) * scale * smooth``.

    `smooth` ``(width,)`` moves to the weights what a few channels have beyond all others.
    Source: Xiao et al., SmoothQuant (2023), equation 4.
    """

    smooth: Array
    scale: float
    zero: int

    @classmethod
    def over(cls, peaks: Array, weights: Sequence[Array], floor: float | None = None) -> Steps:
        """For activations of at most `peaks` ``(width,)`` either way, or above `floor`, and their `weights`."""
        heaviest = np.abs(np.concatenate(weights, axis=1)).max(axis=1)
        smooth = peaks**ALPHA / heaviest ** (1 - ALPHA)
        smooth /= smooth.mean()
        top = float((peaks / smooth).max())
        if floor is None:
            return cls(smooth.astype(np.float32), top / _ROW_MAX, _ROW_ZERO)
        scale = (top - floor / float(smooth.min())) / 255
        return cls(smooth.astype(np.float32), scale, round(255 - top / scale))


@dataclass(frozen=True, slots=True)
class Quantised:
    """``value ≈ (bytes - zero) * scale``: names of a uint8 tensor and of its scale, and the zero."""

    bytes: str
    scale: str
    zero: int


def quantise(g: Graph, x: str) -> Quantised:
    """`x` ``(batch, tokens, width)`` in 8 bits, with a scale for each token."""
    peak = g.op("ReduceMax", g.op("Abs", x), g.ints(-1), keepdims=1)
    scale = g.op("Mul", peak, g.constant(np.float32(1 / _ROW_MAX)))
    # A row of zeros has no scale; any will do.
    scale = g.op("Max", scale, g.constant(np.float32(1e-20)))
    shape = g.op("Shape", x)
    width = g.op("Slice", shape, g.ints(2), g.ints(3))
    # As one list of rows: ONNX knows a scale for each entry along one axis.
    rows = g.op("Reshape", x, g.op("Concat", g.ints(-1), width, axis=0))
    steps = g.op("Reshape", scale, g.ints(-1))
    zeros = g.op("Expand", g.constant(np.uint8(_ROW_ZERO)), g.op("Shape", steps))
    whole = g.op("QuantizeLinear", rows, steps, zeros, axis=0)
    return Quantised(g.op("Reshape", whole, shape), scale, _ROW_ZERO)


def linear(g: Graph, x: Quantised, weight: Array, scale: Array | None = None) -> str:
    """``x @ weight`` with `weight` ``(inputs, outputs)`` in whole numbers, with a `scale` for each column.

    Without `scale`: the one that makes 7 bits of them. With 8 bits, `x` must have no more than 7.
    """
    if scale is None:
        scale = np.maximum(np.abs(weight).max(axis=0) / _WEIGHT_MAX, np.finfo(np.float32).tiny)
    whole = np.rint(weight / scale).astype(np.int8)
    parts = (x.bytes, g.constant(whole), g.constant(np.float32(1)), g.constant(scale.astype(np.float32)))
    zeros = (g.constant(np.uint8(x.zero)), g.constant(np.zeros_like(whole[0])))
    return g.op("Mul", g.op("MatMulIntegerToFloat", *parts, *zeros, domain=CONTRIB), x.scale)


def lay(g: Graph, x: str, steps: Steps) -> str:
    """`x` in 8 bits, for `product` with the same `steps`."""
    parts = g.constant(np.float32(steps.scale)), g.constant(np.uint8(steps.zero))
    whole = g.op("QuantizeLinear", g.op("Mul", x, g.constant(1 / steps.smooth)), *parts)
    return g.op("DequantizeLinear", whole, *parts) if g.fast else whole


def product(g: Graph, x: str, steps: Steps, weight: Array, bias: Array) -> str:
    """``x @ weight + bias`` with what `lay` made of `x`, and `weight` ``(inputs, outputs)`` in 7 bits."""
    weight = weight * steps.smooth[:, None]
    scale = np.abs(weight).max(axis=0) / _WEIGHT_MAX
    whole, scale = np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)
    zeros = g.constant(np.zeros_like(whole[0]))
    if g.fast:
        # As OpenVINO keeps weights: turned around in the file, not at each run.
        turned = g.op("DequantizeLinear", g.constant(whole.T), g.constant(scale), zeros, axis=0)
        y = g.op("MatMul", x, g.op("Transpose", turned, perm=[1, 0]))
        return g.op("Add", y, g.constant(bias))
    parts = (x, g.constant(whole), g.constant(np.float32(steps.scale)), g.constant(scale))
    ends = (g.constant(np.uint8(steps.zero)), zeros, g.constant(bias))
    return g.op("MatMulIntegerToFloat", *parts, *ends, domain=CONTRIB)


def mask(g: Graph, ids: str, lengths: str) -> str:
    """``(batch, tokens) float32``: 1 for a token, 0 for the filling after a text's end."""
    size = g.op("Gather", g.op("Shape", ids), g.constant(np.int64(1)))
    size = g.op("Cast", size, to=_INT32)
    here = g.op("Range", g.constant(np.int32(0)), size, g.constant(np.int32(1)))
    inside = g.op("Less", here, g.op("Unsqueeze", lengths, g.ints(1)))
    return g.op("Cast", inside, to=_FLOAT)
