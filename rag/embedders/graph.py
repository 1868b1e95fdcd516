"""Writing ONNX graphs by hand, with matrix products in whole numbers, and running them.

Each row (token) of the activations is quantised by itself, never with its batch: neighbours have no say
in a text's vector. Weights have 7 bits and activations 8, so that two products always fit the 16 bits in
which x86 processors without VNNI add them up: the sums of whole numbers are exact on every processor.

The rounding of float32 still differs between batch shapes and processors, and decides now and then on
which side of a step a value falls. Measured for all-MiniLM-L6-v2 on one processor, cosine between two
vectors of one text: alone and in a batch at least 0.998; with biases and norms changed by 1e-7 to 1e-5,
which stands in for another processor's rounding, at least 0.996 (mean 0.998). No other processor was tried.
Source: microsoft/onnxruntime, commit 9322994, for the range of weights that cannot overflow, [-64, 63].
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from rag.errors import EmbedderError, ModelError
from rag.models import cache_dir

Array = npt.NDArray[Any]
Run = Callable[[dict[str, Array]], Array]
"""Named inputs to the one output of a graph."""

Node = tuple[str, list[str], str, dict[str, Any]]

CONTRIB = "com.microsoft"
INT8 = 1
"""Version of `quantise` and `linear`; part of the name of every model that uses them."""

_FLOAT, _INT32 = 1, 6  # TensorProto.DataType
_WEIGHT_MAX = 63
_ROW_ZERO, _ROW_MAX = 128, 127
# GELU is never below -0.17: with its zero at 10 nearly all of the 8 bits go to the other side.
_GELU_ZERO, _GELU_MAX, _GELU_FLOOR = 10, 245, 0.17


class Graph:
    """A graph in the making: `op` adds a node and returns the name of its output."""

    def __init__(self) -> None:
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
    return _to_bytes(g, x, scale, _ROW_ZERO)


def quantise_gelu(g: Graph, x: str) -> Quantised:
    """As `quantise`, for the output of a GELU."""
    peak = g.op("ReduceMax", x, g.ints(-1), keepdims=1)
    scale = g.op("Mul", peak, g.constant(np.float32(1 / _GELU_MAX)))
    scale = g.op("Max", scale, g.constant(np.float32(_GELU_FLOOR / _GELU_ZERO)))
    return _to_bytes(g, x, scale, _GELU_ZERO)


def _to_bytes(g: Graph, x: str, scale: str, zero: int) -> Quantised:
    """`x` ``(batch, tokens, width)`` in steps of `scale` ``(batch, tokens, 1)``."""
    shape = g.op("Shape", x)
    width = g.op("Slice", shape, g.ints(2), g.ints(3))
    # As one list of rows: ONNX knows a scale for each entry along one axis.
    rows = g.op("Reshape", x, g.op("Concat", g.ints(-1), width, axis=0))
    steps = g.op("Reshape", scale, g.ints(-1))
    zeros = g.op("Expand", g.constant(np.uint8(zero)), g.op("Shape", steps))
    whole = g.op("QuantizeLinear", rows, steps, zeros, axis=0)
    return Quantised(g.op("Reshape", whole, shape), scale, zero)


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


def mask(g: Graph, ids: str, lengths: str) -> str:
    """``(batch, tokens) float32``: 1 for a token, 0 for the filling after a text's end."""
    size = g.op("Gather", g.op("Shape", ids), g.constant(np.int64(1)))
    size = g.op("Cast", size, to=_INT32)
    here = g.op("Range", g.constant(np.int32(0)), size, g.constant(np.int32(1)))
    inside = g.op("Less", here, g.op("Unsqueeze", lengths, g.ints(1)))
    return g.op("Cast", inside, to=_FLOAT)


def derived(name: str, make: Callable[[Path], None]) -> Path:
    """The file `name` among those computed from weights; `make` writes it the first time.

    `name` must say everything that it depends on. Raises ModelError where it cannot be written.
    """
    path = cache_dir() / "derived" / name
    if path.is_file():
        return path
    temporary = path.with_name(f"{uuid4().hex}.{name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make(temporary)
        _keep(temporary, path)
    except OSError as exc:
        raise ModelError(f"{path} cannot be written ({exc}): set RAG_MODELS_DIR to a folder with space") from exc
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _keep(temporary: Path, path: Path) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        temporary.replace(path)
    except PermissionError:
        if not path.is_file():  # Windows: another process has just made the same file and holds it
            raise


def session(path: Path) -> Run:
    """The graph at `path`, ready to run from any thread, which does all the work of its run itself.

    Two batches on two threads are a quarter faster than each batch on both: nobody waits for the other
    after every product (see `on_all_processors`). Raises ModelError, and EmbedderError in a run.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()  # only its Windows builds have any
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # written as it is to run
    options.enable_mem_pattern = False  # else memory is planned, and kept, for every shape that comes by
    try:
        engine = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        raise ModelError(f"{path} cannot be loaded ({exc}): delete it, it is made again") from exc
    return lambda inputs: _run(engine, inputs)


def on_all_processors(work: Callable[[list[int]], object], batches: Sequence[list[int]]) -> None:
    """``work(batch)`` for every batch, the last and longest first, as many at a time as there are processors."""
    if len(batches) == 1:
        work(batches[0])
        return
    for _ in _workers().map(work, reversed(batches)):
        pass


@cache
def _workers() -> ThreadPoolExecutor:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(allowed, thread_name_prefix="rag-embed")


def _run(engine: Any, inputs: dict[str, Array]) -> Array:
    try:
        return np.asarray(engine.run(None, inputs)[0])
    except Exception as exc:
        raise EmbedderError(f"onnxruntime could not embed a batch: {exc}") from exc
