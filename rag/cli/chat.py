"""`rag chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rag.cli import interrupt
from rag.cli.ask import load_model, open_rag, show_answer
from rag.cli.screen import is_terminal, options, say, show, show_error

if TYPE_CHECKING:
    from prompt_toolkit.history import History

    from rag.answering.answerer import Answerer
    from rag.api import RAG
    from rag.conversation.chat import Chat


@click.command(
    help=say(
        "Talk about the documents. In a pipe, each line is a question.",
        "就文档进行对话。在管道中，每行是一个问题。",
    )
)
@options("index", "embedder", "llm", "top_k", "strictness", "source")
@click.option(
    "--show-asked",
    is_flag=True,
    help=say("Show how a follow-up question was rewritten.", "显示追问被改写成了什么。"),
)
def chat(
    index: str | None,
    embedder: str | None,
    llm: str | None,
    top_k: int | None,
    strictness: float | None,
    source: str | None,
    show_asked: bool,
) -> None:
    from rag.types import Where

    with open_rag(index, embedder, llm, top_k=top_k, strictness=strictness) as rag:
        load_model(rag)
        conversation = rag.chat(Where(source) if source else None)
        if typed := is_terminal(sys.stdin) and is_terminal(sys.stdout):
            threading.Thread(target=_get_ready, args=(conversation.answerer,), daemon=True).start()
        with interrupt.let_it_finish() if typed else nullcontext():
            for line in _typed() if typed else _piped():
                try:
                    if not _turn(rag, conversation, line.strip(), show_asked):
                        break
                except KeyboardInterrupt:
                    if not typed:
                        raise
                    interrupt.mark_handled()
                    show(say("\n(stopped)", "\n（已停止）"))


def _get_ready(answerer: Answerer) -> None:
    """Let the model read its rules while the first question is typed."""
    from rag.errors import RagError

    with suppress(RagError):  # an error shows when a question is asked
        answerer.get_ready(say("en", "zh"))


def _turn(rag: RAG, conversation: Chat, line: str, show_asked: bool) -> bool:
    """One line of a conversation; False when it was the last."""
    from rag.errors import RagError

    match line:
        case "":
            pass
        case "/quit" | "/exit":
            return False
        case "/help":
            show(_HELP)
        case "/sources":
            for document in rag.sources():
                show(document.source)
        case _ if line.partition(" ")[0] == "/source":
            _narrow(rag, conversation, line.partition(" ")[2].strip())
        case "/new":
            conversation.new()
            show(say("A new conversation.", "已开始新的对话。"))
        case _ if line.startswith("/"):
            show(say(f"No command is called {line}: see /help", f"没有 {line} 这个命令：请看 /help"))
        case _:
            try:
                show_answer(line, conversation.stream(line), show_asked=show_asked)
            except RagError as exc:
                show_error(exc, line)
    return True


def _narrow(rag: RAG, conversation: Chat, pattern: str) -> None:
    """From now on only sources like `pattern` are searched; all again where it is empty."""
    from fnmatch import fnmatchcase

    from rag.types import Where

    count = sum(fnmatchcase(document.source, pattern or "*") for document in rag.sources())
    if pattern and not count:
        show(say(f"No source is like {pattern}: see /sources", f"没有与 {pattern} 相符的文件：请看 /sources"))
        return
    conversation.where = Where(pattern) if pattern else None
    show(say(f"{count} sources are searched.", f"现在查找 {count} 个文件。"))


_HELP = say(
    "/sources      the files in the index\n"
    "/source GLOB  search only these; without GLOB all again\n"
    "/new          forget this conversation\n"
    "/quit         leave (Ctrl-D too)\n"
    "Ctrl-C stops an answer. Anything else is a question.",
    "/sources      索引中的文件\n"
    "/source 模式  只查这些文件；不带模式则恢复全部\n"
    "/new          开始新的对话\n"
    "/quit         退出（也可用 Ctrl-D）\n"
    "Ctrl-C 停止当前回答。其他输入都是问题。",
)


def _typed() -> Iterator[str]:
    """Lines from the terminal, with a history that is kept between sessions."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(history=_history())
    show(say("Ask about your documents. /help lists the commands.", "请提问。输入 /help 查看命令。"))
    while True:
        try:
            yield session.prompt("› ")
        except KeyboardInterrupt:
            interrupt.mark_handled()
        except EOFError:
            return


def _history() -> History:
    """The history, kept between sessions if its folder can be written to."""
    from platformdirs import user_state_dir
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    folder = Path(user_state_dir("ragstone", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history").open("ab").close()
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(folder / "history"))


def _piped() -> Iterator[str]:
    for raw in sys.stdin.buffer if sys.stdin is not None else ():
        line = raw.decode("utf-8", errors="replace").strip()
        if line:
            show(f"› {line}")
        yield line
