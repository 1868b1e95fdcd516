"""Ctrl-C ends a command within a second, whatever it is doing; a second one at once.

The first raises KeyboardInterrupt, so that what is finished can be kept. Python hears of a signal only between two
of its own steps. So the operating system wakes a thread as well, which ends the process where that takes too long:
a library computes, or a thread is waited for. A library that keeps Python's lock stops that thread too; what does
so is run under `end_at_once`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["STATUS", "end_at_once", "exit_now", "let_it_finish", "mark_handled", "watch_interrupts"]

STATUS = 130
"""The exit status of what Ctrl-C has ended, as shells have it."""

_PATIENCE = 0.8  # seconds from Ctrl-C to the end
_SHOW_CURSOR = b"\x1b[?25h"


class _State:
    patience: float | None = _PATIENCE  # None: the first Ctrl-C may take as long as it needs
    handled = 0


@contextmanager
def watch_interrupts() -> Iterator[None]:
    """While this is open, Ctrl-C is handled so; not outside the main thread, and not where it is ignored."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    if sys.platform == "win32":
        before = signal.signal(signal.SIGINT, _interrupt)
        yield
        signal.signal(signal.SIGINT, before)
        return
    hears, tells = os.pipe()
    os.set_blocking(tells, False)
    waked = signal.set_wakeup_fd(tells, warn_on_full_buffer=False)
    thread = threading.Thread(target=_watch, args=(hears,), name="rag-interrupt", daemon=True)
    thread.start()
    before = signal.signal(signal.SIGINT, _interrupt)  # from here on it raises: the last step
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.set_wakeup_fd(waked)
        os.close(tells)  # which ends the thread
        thread.join()
        os.close(hears)


def mark_handled() -> None:
    """A KeyboardInterrupt was caught, and the command goes on."""
    _State.handled += 1
    signal.signal(signal.SIGINT, _interrupt)


@contextmanager
def let_it_finish() -> Iterator[None]:
    """While this is open, the first Ctrl-C stops what is done, not the command, and may take its time."""
    _State.patience = None
    try:
        yield
    finally:
        _State.patience = _PATIENCE


@contextmanager
def end_at_once() -> Iterator[None]:
    """While this is open, Ctrl-C ends the process itself: for work that keeps Python's lock and loses nothing."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def exit_now() -> NoReturn:
    """End the process now: no thread is waited for, and the terminal's cursor shows."""
    if sys.platform != "win32" and os.isatty(2):
        os.write(2, _SHOW_CURSOR)
    os._exit(STATUS)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def _watch(hears: int) -> None:
    while numbers := os.read(hears, 64):
        if signal.SIGINT not in numbers:
            continue
        before = _State.handled
        select.select([hears], [], [], _State.patience)  # a second one, or the time is over
        if _State.handled == before and _is_open(hears):
            exit_now()


def _is_open(hears: int) -> bool:
    """Whether the command still runs: its end closes the other side, which then reads as the end."""
    if not select.select([hears], [], [], 0)[0]:
        return True
    return bool(os.read(hears, 64))
