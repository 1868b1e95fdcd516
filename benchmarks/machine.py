"""What this machine can do at most: matrix products in int8, bf16 and fp32, and reading memory.

`python -m benchmarks.machine results.json` adds the figures to the results; without a file it prints them.
The products are the best that a library reached here, in billions of operations a second (a multiplication
and an addition are two); the bandwidth is what reading, and what copying, an array far larger than the
caches gave, in bytes a second.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE = 2048
ROUNDS = 8
MEGABYTES = 512
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp", "i8mm")


def description() -> dict[str, Any]:
    """The machine, as far as the standard library knows it."""
    return {
        "processor": _from("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "kernels": [flag for flag in FLAGS if flag in (_from("/proc/cpuinfo", "flags") or "").split()],
        "memory": _from("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _from(path: str, name: str) -> str | None:
    """The first value called `name` in one of Linux's tables."""
    if not Path(path).exists():
        return None
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def best(work: Callable[[], object]) -> float:
    """The least seconds of several rounds, after one that is not counted."""
    work()
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def peaks() -> dict[str, float]:
    """Billions of operations a second by number format, gigabytes a second read and copied."""
    import numpy as np
    import torch

    operations = 2 * SIZE**3 / 1e9
    a = torch.randn(SIZE, SIZE)
    half = a.to(torch.bfloat16)
    found = {
        "fp32": operations / best(lambda: a @ a),
        "bf16": operations / best(lambda: half @ half),
        "int8": operations / best(int8_product()),
    }
    array = torch.ones(MEGABYTES * 1024 * 1024 // 4)
    target = np.empty(MEGABYTES * 1024 * 1024, np.uint8)
    source = np.ones_like(target)
    found["read"] = array.nbytes / best(array.sum) / 1e9
    found["copy"] = 2 * source.nbytes / best(lambda: np.copyto(target, source)) / 1e9
    return {name: round(value, 1) for name, value in found.items()}


def int8_product() -> Callable[[], object]:
    """One product of uint8 activations and int8 weights, as the embedder's graph has them, in onnxruntime."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(0)
    weights = chance.integers(-64, 64, (SIZE, SIZE), np.int8)
    rows = chance.integers(0, 256, (SIZE, SIZE), np.uint8)
    node = helper.make_node("MatMulInteger", ["rows", "weights"], ["sums"])
    into = helper.make_tensor_value_info("rows", TensorProto.UINT8, [SIZE, SIZE])
    out = helper.make_tensor_value_info("sums", TensorProto.INT32, [SIZE, SIZE])
    graph = helper.make_graph([node], "product", [into], [out], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"rows": rows})


def main() -> None:
    found = peaks()
    if len(sys.argv) > 1:
        from benchmarks.results import Results

        results = Results.read(Path(sys.argv[1]))
        results.facts["peaks"] = found
        results.write()
    else:
        print(json.dumps({**description(), **found}, indent=1))


if __name__ == "__main__":
    main()
