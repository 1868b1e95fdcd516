"""The command line: the only place that prints. `main` is the console script `rag`.

In: arguments, and questions from the terminal or a pipe. Out: text or JSON, and an exit status.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click

from rag import __version__
from rag.cli import ask, chat, evaluate, index, ingest, interrupt, models, serve, space, watch
from rag.cli.barrier import check_memory_limit, log_to_terminal, open_closed_streams, run
from rag.cli.help import HelpFormatter, Sections
from rag.cli.screen import say

__all__ = ["main", "rag"]


click.Context.formatter_class = HelpFormatter


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=say(
        "Answer questions from your own documents, with citations.\n\n"
        "\b\nrag ingest ~/papers              read a folder into the index\n"
        'rag ask "What is the warranty?"  one answer, with what supports it\n'
        "rag chat                         a conversation\n"
        "rag serve                        a page in the browser",
        "用您自己的文档回答问题，并注明出处。\n\n"
        "\b\nrag ingest ~/papers     把一个文件夹读入索引\n"
        'rag ask "保修期多长？"  回答一个问题，并给出依据\n'
        "rag chat                连续对话\n"
        "rag serve               在浏览器里使用",
    ),
)
@click.version_option(__version__, prog_name="ragstone")
@click.option("-v", "--verbose", is_flag=True, help=say("Say more about what is done.", "显示更多过程信息。"))
def rag(verbose: bool) -> None:
    log_to_terminal(verbose)
    check_memory_limit()


SECTIONS: Mapping[str, Sequence[click.Command]] = {
    say("Documents", "文档"): (
        ingest.ingest,
        watch.watch,
        index.sources,
        index.status,
        index.forget,
        index.copy_index,
        index.check,
    ),
    say("Questions", "提问"): (ask.ask, chat.chat, ask.search, serve.serve, serve.mcp),
    say("What the documents are like", "了解文档"): space.COMMANDS,
    say("Models and measuring", "模型与评测"): (models.models, evaluate.evaluate),
}
"""All commands, under what they are for, in the order of the help."""

for commands in SECTIONS.values():
    for command in commands:
        rag.add_command(command)
rag.sections = {title: [str(command.name) for command in commands] for title, commands in SECTIONS.items()}


def main() -> None:
    """Run the command line.

    What fails is one line on stderr and exit status 1; wrong usage ends with 2, Ctrl-C with 130.
    """
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows "?" for it and goes on.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with interrupt.watch_interrupts():
            status = run(rag)
    except KeyboardInterrupt:  # it came before the first step of the command, or after the last
        interrupt.exit_now()
    if status == interrupt.STATUS:
        interrupt.exit_now()
    if status:
        sys.exit(status)
