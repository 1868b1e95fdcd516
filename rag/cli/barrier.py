"""The last barrier: whatever a command raises becomes one line on stderr and an exit status."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from rag.cli import interrupt
from rag.cli.screen import Unwritable, flush, say, show, show_error, show_failure
from rag.errors import ConfigError, RagError
from rag.text.sanitise import terminal_text

__all__ = ["check_memory_limit", "log_to_terminal", "open_closed_streams", "run"]

log = logging.getLogger(__name__)


def run(command: click.Command) -> int:
    """Run `command` and return its exit status: 0, 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        status = _status(command)
        flush()
        return status
    except BrokenPipeError:
        pass  # the reader of our output went away (`rag search … | head`): nothing is left to say
    except Unwritable as exc:
        reason = say(f"the output cannot be written: {exc}", f"无法写出结果：{exc}")
        _say(lambda: show_failure(reason, say("error", "错误")))
    _let_go(sys.stdout)
    return 1


def _status(command: click.Command) -> int:
    try:
        returned = command.main(prog_name="rag", standalone_mode=False)
        return returned if isinstance(returned, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.UsageError as exc:
        usage = exc
        _say(lambda: _show_usage(usage))
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say(lambda: show(say("\nStopped.", "\n已停止。"), err=True))
        return interrupt.STATUS
    except (BrokenPipeError, Unwritable):
        raise
    except Exception as exc:
        failed = exc
        log.debug("where it failed", exc_info=exc)
        if isinstance(failed, RagError):
            _say(lambda: show_error(failed))
        else:
            _say(lambda: show_failure(_sentence(failed), say("error", "错误")))
    return 1


def _show_usage(exc: click.UsageError) -> None:
    """What was wrong with the arguments, under the line that says how the command is used."""
    if exc.ctx is not None:
        show(exc.ctx.get_usage(), err=True)
        show(say(f"Try '{exc.ctx.command_path} --help'.", f"请看 '{exc.ctx.command_path} --help'。"), err=True)
    show_failure(exc.format_message(), say("error", "错误（用法有误）"))


def _sentence(exc: Exception) -> str:
    """What an error that nobody foresaw says, and how to learn more."""
    more = say("`rag -v …` shows where", "用 `rag -v …` 查看出错位置")
    if isinstance(exc, MemoryError):
        return say(f"there is not enough memory for this; {more}", f"内存不足；{more}")
    if isinstance(exc, OSError) and exc.strerror:
        where = f": {os.fsdecode(exc.filename)}" if isinstance(exc.filename, str | bytes) else ""
        return f"{exc.strerror}{where}; {more}"
    return f"{type(exc).__name__}: {exc}; {more}"


def _say(speak: Callable[[], None]) -> None:
    """Say it unless stderr takes nothing either."""
    with suppress(OSError, ValueError, Unwritable):
        speak()


def _let_go(stream: object) -> None:
    """What is left in `stream` goes nowhere, so that the end of the process does not fail on it."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[attr-defined]
        os.close(null)


_LEAST = 1 << 30  # bytes of address space; below, libraries crash where they should fail


def check_memory_limit() -> None:
    """Raise ConfigError where `ulimit -v` leaves less than can be worked with."""
    if sys.platform == "win32":
        return
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed != resource.RLIM_INFINITY and allowed < _LEAST:
        raise ConfigError(
            f"this process may use {allowed >> 20:,} MB of address space, and {_LEAST >> 20:,} MB is the least "
            "(4,096 MB with the language model): raise the limit (`ulimit -v`)"
        )


def open_closed_streams() -> None:
    """Give the three standard streams a descriptor each.

    Where one is closed (`rag … >&-`), the next file that is opened, an index perhaps, would have its number, and
    what is printed would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


class _Plain(logging.Formatter):
    """Log lines hold names and texts of documents."""

    def format(self, record: logging.LogRecord) -> str:
        return terminal_text(super().format(record))


def log_to_terminal(verbose: bool) -> None:
    """Warnings of ours to stderr, or all that is said where `verbose`."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.ERROR, handlers=[handler])
    logging.getLogger("rag").setLevel(logging.DEBUG if verbose else logging.WARNING)
    logging.getLogger("faiss").setLevel(logging.ERROR)  # else it tells of every file that it tries to load
