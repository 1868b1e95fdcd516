"""llama.cpp inside this process, through xllamacpp: starting it, and one request to it.

xllamacpp's Server always listens for connections. Here it listens on a Unix socket in a new folder that
only the user may enter, and the socket is removed as soon as the model is loaded: afterwards nothing can
connect. On Windows, where llama.cpp has no Unix sockets, it listens on a random port of 127.0.0.1. In both
cases a connection needs a random 256-bit key that exists only in memory. Our own requests are calls within
the process and use no connection.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

from rag.errors import LLMError, ModelError

Call = Callable[[str, Callable[[str], object]], None]
"""Called with a request (JSON) and a function that gets each event (JSON); returns after the last event."""

BATCH = 128  # tokens of the prompt read at a time; a cancelled request stops after the current batch
SEEN, AHEAD = 2, 4
"""Answers often copy passages. If the last SEEN tokens of an answer occur in the prompt, the AHEAD tokens that
follow them there are tried in one step, and those that the model would have chosen are kept."""
KEPT = 128
"""Mebibytes for the state of other prompts: the rules and examples of answers are kept while a question is
rewritten."""
_MOST_THREADS = 16
_BEAT = 0.1  # seconds
_SOCKET_PATH_BYTES = 100  # macOS takes 104, Linux 108, the end included


def start(path: Path, context_tokens: int, *, unix: bool = sys.platform != "win32") -> Any:
    """An xllamacpp Server with the GGUF file at `path`; loading blocks the whole process for seconds.

    Raises ModelError if llama.cpp cannot run it.
    """
    xllamacpp = _xllamacpp()
    params = _params(xllamacpp, path, context_tokens)
    with _address(unix) as address:
        params.hostnames, params.port = [address], 0
        try:
            with _interrupts_deferred():
                return xllamacpp.Server(params)
        except (RuntimeError, ValueError) as exc:
            raise ModelError(
                f"llama.cpp cannot load {path}: it may need more memory, or not know this kind of model ({exc})"
            ) from exc


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Raise KeyboardInterrupt afterwards: inside the constructor it leaves a thread that is waited for, for ever.

    Where the program has Ctrl-C end the process, or ignore it, that stays.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if heard:
        raise KeyboardInterrupt


def _params(xllamacpp: ModuleType, path: Path, context_tokens: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel = context_tokens, 1
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    # Read into memory rather than mapped: the weights are rearranged for the processor's vector unit, and
    # a mapped file would lie in memory beside the rearranged copy (1.9 GB instead of 1.35).
    params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
    params.cache_ram_mib, params.n_ctx_checkpoints = KEPT, 0
    params.speculative.types = [xllamacpp.common_speculative_type.COMMON_SPECULATIVE_TYPE_NGRAM_SIMPLE]
    params.speculative.ngram_simple.size_n, params.speculative.ngram_simple.size_m = SEEN, AHEAD
    params.warmup = params.fit_params = False
    params.verbosity = -1  # nothing on stderr
    params.offline = True
    params.endpoint_slots = params.endpoint_props = params.ui = False
    params.n_threads_http = 1
    params.api_keys = [secrets.token_hex(32)]
    params.cors_origins = "http://localhost"
    return params


@contextmanager
def _address(unix: bool) -> Iterator[str]:
    """The address where the server listens while it loads; a socket is removed afterwards."""
    if not unix:
        yield "127.0.0.1"
        return
    with tempfile.TemporaryDirectory(prefix="rag-", dir=_short_folder()) as folder:  # of mode 0700
        yield str(Path(folder, "llm.sock"))


def _short_folder() -> str | None:
    """The folder for temporary files, or /tmp if a socket's path would be too long in it."""
    room = _SOCKET_PATH_BYTES - len("/rag-xxxxxxxx/llm.sock")
    return "/tmp" if len(os.fsencode(tempfile.gettempdir())) > room else None  # noqa: S108


def _threads() -> int:
    """The number of processors that this process may use; with one thread more, all would wait for it."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST_THREADS)


# Read once, when the library is loaded. By default OpenMP's threads wait for each other in a busy loop, which is
# several times slower on a machine that does other work as well. A busy loop of some microseconds before they
# sleep makes an answer a quarter faster on a quiet machine (37 ms a token, not 48) and costs nothing elsewhere.
_WAITING = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}


def _xllamacpp() -> ModuleType:
    """The module, imported with the setting that lets waiting threads sleep soon."""
    ours = {name: value for name, value in _WAITING.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        import xllamacpp
    except ImportError as exc:
        hint = "install libgomp1 (apt) or libgomp (dnf)" if "libgomp" in str(exc) else "pip install xllamacpp"
        raise ModelError(f"llama.cpp cannot be loaded ({exc}): {hint}") from exc
    finally:
        for name in ours:
            del os.environ[name]
    module: ModuleType = xllamacpp
    return module


class Run:
    """One request: the engine runs in a thread of its own and calls back, the caller iterates over events.

    `turn` is a lock held while the engine works; a request that still waits for it can be cancelled.
    """

    def __init__(self, call: Call, body: str, turn: threading.Lock) -> None:
        self._queue: SimpleQueue[str | Exception | None] = SimpleQueue()
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(call, body, turn), name="rag-llm")
        self._thread.start()

    def events(self) -> Iterator[Mapping[str, Any]]:
        """The engine's events as they come. Raises LLMError if the engine raised an exception."""
        while (event := self._next()) is not None:
            if isinstance(event, Exception):
                raise LLMError(f"llama.cpp failed: {event}") from event
            yield json.loads(event)

    def stop(self) -> None:
        """Stop the engine and wait for it: at most one step (AHEAD tokens, or one batch of the prompt)."""
        self._cancelled.set()
        self._thread.join()

    def _work(self, call: Call, body: str, turn: threading.Lock) -> None:
        try:
            while not turn.acquire(timeout=_BEAT):
                if self._unwanted():
                    return
            try:
                call(body, self._hear)
            finally:
                turn.release()
        except Exception as exc:  # noqa: BLE001 - raised again where the caller iterates
            self._queue.put(exc)
        finally:
            self._queue.put(None)

    def _hear(self, event: str) -> bool:
        """Called by the engine for each token or batch; True stops it."""
        self._queue.put(event)
        return self._unwanted()

    def _unwanted(self) -> bool:
        """Whether the request was closed, or the program is ending, when Python waits for this thread."""
        return self._cancelled.is_set() or not threading.main_thread().is_alive()

    def _next(self) -> str | Exception | None:
        while True:
            try:  # with a time limit, because a wait without one does not hear Ctrl-C on Windows
                return self._queue.get(timeout=_BEAT)
            except Empty:
                continue
