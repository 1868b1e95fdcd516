"""`rag ask`, `rag search` and `rag chat`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rag.cli.screen import (
    answer_json,
    hit_json,
    options,
    place,
    plain,
    say,
    show_citations,
    show_error,
    show_json,
    show_usage,
)
from rag.types import Answer, Where

if TYPE_CHECKING:
    from rag.answering.answerer import Answerer
    from rag.api import RAG
    from rag.conversation.chat import Chat


@click.command(help=say("Answer QUESTION from the documents, with citations.", "根据文档回答问题，并注明出处。"))
@click.argument("question")
@options("index", "embedder", "llm", "top_k", "strictness", "source", "type", "page", "json")
@click.option(
    "--cost", is_flag=True, help=say("Say how many tokens it took, and their price.", "显示词元数和费用。")
)
def ask(
    question: str,
    index: str | None,
    embedder: str | None,
    llm: str | None,
    top_k: int | None,
    strictness: float | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
    cost: bool,
) -> None:
    question, where = _checked(question), _where(source, kind, page)
    with _open(index, embedder, llm, top_k=top_k, strictness=strictness) as rag:
        if as_json:
            show_json(answer_json(rag.ask(question, where)))
        else:
            _show(question, rag.stream(question, where), cost)


@click.command(help=say("List the passages that match QUESTION best.", "列出与问题最相关的段落。"))
@click.argument("question")
@options("index", "embedder", "top_k", "source", "type", "page", "json")
def search(
    question: str,
    index: str | None,
    embedder: str | None,
    top_k: int | None,
    source: str | None,
    kind: str | None,
    page: str | None,
    as_json: bool,
) -> None:
    began = time.perf_counter()
    question = _checked(question)
    with _open(index, embedder, "none") as rag:
        opened = time.perf_counter()
        hits = rag.search(question, top_k or 10, _where(source, kind, page))
        timings = {"open": opened - began, "search": time.perf_counter() - opened}
    if as_json:
        show_json({"hits": [hit_json(h) for h in hits], "timings": {k: round(v, 4) for k, v in timings.items()}})
        return
    for hit in hits:
        click.secho(f"{hit.rank:2}. {hit.score:.3f}  {plain(place(hit.chunk, question))}", bold=True)
        click.echo(f"    {plain(' '.join(hit.chunk.text.split()))[:300]}\n")
    if not hits:
        click.echo(say("Nothing matches.", "没有匹配的段落。", question))


@click.command(
    help=say(
        "Talk about the documents. In a pipe, each line is a question.",
        "就文档进行对话。在管道中，每行是一个问题。",
    )
)
@options("index", "embedder", "llm", "top_k", "strictness")
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
    show_asked: bool,
) -> None:
    with _open(index, embedder, llm, top_k=top_k, strictness=strictness) as rag:
        conversation = rag.chat()
        if typed := sys.stdin.isatty() and sys.stdout.isatty():
            threading.Thread(target=_get_ready, args=(conversation.answerer,), daemon=True).start()
        lines = _typed() if typed else _piped()
        for line in lines:
            try:
                if not _turn(rag, conversation, line.strip(), show_asked):
                    break
            except KeyboardInterrupt:
                click.echo(say("\n(stopped)", "\n（已停止）"))


def _get_ready(answerer: Answerer) -> None:
    """What a model can do while the first question is typed."""
    from rag.errors import RagError

    with suppress(RagError):  # whatever is wrong is told when a question is asked
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
            click.echo(_HELP)
        case "/sources":
            for source in rag.store.documents():
                click.echo(plain(source))
        case "/new":
            conversation.new()
            click.echo(say("A new conversation.", "已开始新的对话。"))
        case _ if line.startswith("/"):
            name = plain(line)
            click.echo(say(f"No command is called {name}: see /help", f"没有 {name} 这个命令：请看 /help"))
        case _:
            try:
                _show(line, conversation.stream(line), show_asked=show_asked)
            except RagError as exc:
                show_error(exc, line)
    return True


_HELP = say(
    "/sources  the files in the index\n/new      forget this conversation\n/quit     leave (Ctrl-D too)\n"
    "Ctrl-C stops an answer. Anything else is a question.",
    "/sources  索引中的文件\n/new      开始新的对话\n/quit     退出（也可用 Ctrl-D）\n"
    "Ctrl-C 停止当前回答。其他输入都是问题。",
)


def _typed() -> Iterator[str]:
    """Lines from the terminal, with a history that is kept between sessions."""
    from platformdirs import user_state_dir
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    folder = Path(user_state_dir("ragstone", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    session: PromptSession[str] = PromptSession(history=FileHistory(str(folder / "history")))
    click.echo(say("Ask about your documents. /help lists the commands.", "请提问。输入 /help 查看命令。"))
    while True:
        try:
            yield session.prompt("› ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


def _piped() -> Iterator[str]:
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", errors="replace").strip()
        if line:
            click.echo(f"› {plain(line)}")
        yield line


def _show(question: str, pieces: Iterator[str | Answer], cost: bool = False, show_asked: bool = False) -> None:
    """An answer as it comes, then its citations; with `cost`, what it took, with `show_asked`, its rewriting."""
    for piece in _waiting(question, pieces):
        if isinstance(piece, Answer):
            click.echo()
            if show_asked and piece.asked:
                click.secho(f"  → {plain(piece.asked)}", dim=True)
            show_citations(piece)
            if cost:
                show_usage(piece)
            click.echo()
        else:
            click.echo(plain(piece), nl=False)
            sys.stdout.flush()


def _waiting(question: str, pieces: Iterator[str | Answer]) -> Iterator[str | Answer]:
    """`pieces`, with a sign of life on the terminal until the first."""
    from rich.console import Console

    with Console(stderr=True).status(say("Reading…", "正在查阅……", question)):
        first = next(pieces)
    yield first
    yield from pieces


def _checked(question: str) -> str:
    """`question`, found fit to be asked before any model is loaded. Raises QuestionError."""
    from rag.answering.answerer import checked

    # In a locale without Chinese (LC_ALL=C), Python hands on an argument's bytes undecoded.
    return checked(os.fsencode(question).decode("utf-8", "replace"))


def _where(source: str | None, kind: str | None, page: str | None) -> Where | None:
    if not (source or kind or page):
        return None
    pages = None
    if page:
        first, _, last = page.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise click.BadParameter(f"{page!r} is no page or range of pages: use 3 or 3-5", param_hint="--page")
        pages = (int(first), int(last or first))
    return Where(source, kind, pages)


@contextmanager
def _open(index: str | None, embedder: str | None, llm: str | None, **settings: Any) -> Iterator[RAG]:
    """The index, with a bar whenever model weights are fetched."""
    from rag.api import RAG
    from rag.cli.models import fetching
    from rag.config import load_settings
    from rag.errors import IndexMissing
    from rag.stores import open_store

    with closing(open_store(load_settings({"index": index}).index)) as store:
        if store.manifest() is None:  # said before any model is loaded or fetched
            raise IndexMissing(store.url)
    with fetching(), RAG.open(index, embedder=embedder, llm=llm, **settings) as rag:
        yield rag
