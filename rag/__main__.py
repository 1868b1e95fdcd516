"""The console script `rag`, and `python -m rag`."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line; Ctrl-C ends the process without a word while that is being imported."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from rag.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
