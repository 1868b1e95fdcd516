"""Running the graphs: onnxruntime for a few texts, OpenVINO for many, on every processor there is.

OpenVINO reads a third more tokens a second where it has been measured (x86, see `benchmarks/NOTES.md`), but
takes half a second to make ready and twice as long for one question. Elsewhere onnxruntime does all.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Event, Lock, local
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rag.errors import EmbedderError, ModelError

Array = npt.NDArray[Any]
Run = Callable[[dict[str, Array]], Array]
"""Named inputs to the one output of a graph."""
T = TypeVar("T")
U = TypeVar("U")

log = logging.getLogger(__name__)


def session(path: Path) -> Run:
    """The graph at `path`, ready to run from any thread, which does all the work of its run itself.

    Two batches on two threads are a quarter faster than each batch on both: nobody waits for the other
    after every product (see `on_all_processors`). Raises ModelError, and EmbedderError in a run.
    """
    import onnxruntime as ort

    ort.disable_telemetry_events()  # on Windows; elsewhere `rag/__init__.py` has seen to it before the import
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # written as it is to run
    options.enable_mem_pattern = False  # else memory is planned, and kept, for every shape that comes by
    try:
        engine = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as exc:
        raise _unreadable(path, exc) from exc

    def run(inputs: dict[str, Array]) -> Array:
        try:
            return np.asarray(engine.run(None, inputs)[0])
        except Exception as exc:
            raise EmbedderError(f"onnxruntime could not embed a batch: {exc}") from exc

    return run


def has_fast_engine() -> bool:
    """Whether `fast_session` can be had: OpenVINO on a processor on which it has been measured."""
    return platform.machine().lower() in ("x86_64", "amd64") and _openvino() is not None


def fast_session(path: Path) -> Run:
    """As `session`, by OpenVINO: what is not in whole numbers is in bfloat16 where the processor has it.

    It keeps some megabytes for every shape of its inputs: give it few (`even_batches`).
    """
    threads = allowed_processors()
    openvino = _openvino()
    assert openvino is not None  # noqa: S101 - the caller has asked `has_fast_engine`
    core = openvino.Core()
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
        "NUM_STREAMS": str(threads),
        "INFERENCE_NUM_THREADS": str(threads),
        "ENABLE_CPU_PINNING": "NO",
    }
    try:
        model = core.compile_model(str(path), "CPU", options)
    except Exception as exc:
        raise _unreadable(path, exc) from exc
    mine, alone, begun = local(), Lock(), Event()

    def infer(inputs: dict[str, Array]) -> Array:
        try:
            if not hasattr(mine, "request"):
                mine.request = model.create_infer_request()
            return np.array(mine.request.infer(inputs, share_inputs=True)[0])
        except Exception as exc:
            raise EmbedderError(f"OpenVINO could not embed a batch: {exc}") from exc

    def run(inputs: dict[str, Array]) -> Array:
        if begun.is_set():
            return infer(inputs)
        # In their first inference OpenVINO's bindings make what they keep; two threads that do so at once can wait
        # for each other for ever, one with Python's lock and one with C++'s.
        with alone:
            vectors = infer(inputs)
            begun.set()
        return vectors

    return run


@cache
def _openvino() -> Any:
    """The package without its converter, which tells its maker of every import; None where it does not load."""
    converter = "openvino.tools.ovc"
    barred = converter not in sys.modules
    if barred:
        sys.modules[converter] = None  # type: ignore[assignment]
    try:
        import openvino
    except (ImportError, OSError) as exc:
        log.info("OpenVINO cannot be loaded (%s): onnxruntime embeds everything", exc)
        return None
    finally:
        if barred:
            del sys.modules[converter]
    return openvino


def _unreadable(path: Path, exc: Exception) -> ModelError:
    return ModelError(f"{path} cannot be loaded ({exc}): delete it, it is made again")


def on_all_processors(work: Callable[[T], object], batches: Sequence[T]) -> None:
    """``work(batch)`` for every batch, the last and longest first, as many at a time as there are processors."""
    if len(batches) == 1:
        work(batches[0])
        return
    for _ in _workers().map(work, reversed(batches)):
        pass


def both(one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """What both return, done at the same time, and beside the batches of an ingest in the same process."""
    waiting = _helpers().submit(other)
    return one(), waiting.result()


def allowed_processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _workers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(allowed_processors(), thread_name_prefix="rag-embed")


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(allowed_processors(), thread_name_prefix="rag-both")
