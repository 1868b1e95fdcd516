"""`rag ask`, `rag search` and `rag chat`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from rag.cli.screen import is_terminal, options, say, show, show_citations, show_json, show_usage
from rag.types import Answer, Where

if TYPE_CHECKING:
    from rag.api import RAG
    from rag.cli.found import Sought

A_QUESTION = {"ignore_unknown_options": True}
"""A question may begin with a dash ("-z 选项做什么")."""


@click.command(
    context_settings=A_QUESTION,
    help=say("Answer QUESTION from the documents, with citations.", "根据文档回答问题，并注明出处。"),
)
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
    with open_rag(index, embedder, llm, top_k=top_k, strictness=strictness) as rag:
        load_model(rag)
        if as_json:
            show_json(rag.ask(question, where).as_json())
        else:
            show_answer(question, rag.stream(question, where), cost)


@click.command(
    context_settings=A_QUESTION,
    help=say("List the passages that match QUESTION best.", "列出与问题最相关的段落。"),
)
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
    from rag.cli.found import show_hits
    from rag.retrieval.typos import find_missing

    began = time.perf_counter()
    question, where = _checked(question), _where(source, kind, page)
    with open_rag(index, embedder, "none") as rag:
        opened = time.perf_counter()
        hits = rag.search(question, top_k or 10, where)
        missing = find_missing(question, rag.store.rarities)
        sought = _sought(rag, question)
        timings = {"open": opened - began, "search": time.perf_counter() - opened}
    if as_json:
        show_json(
            {
                "hits": [hit.as_json() for hit in hits],
                "missing": missing,
                "timings": {k: round(v, 4) for k, v in timings.items()},
            }
        )
        return
    if missing:
        names = ", ".join(missing)
        show(say(f"In no document: {names}", f"任何文档中都没有：{names}", question), fg="yellow")
    show_hits(hits, sought, filtered=where is not None)


def _sought(rag: RAG, question: str) -> Sought:
    """`question`, with the other wordings and words that it was searched by."""
    from rag.cli.found import Sought
    from rag.retrieval.synonyms import read_synonyms
    from rag.retrieval.typos import mend_terms
    from rag.text import search_terms

    terms = search_terms(question)
    mended = [term for term in mend_terms(terms, rag.store.rarities) if term not in terms]
    _, *wordings = read_synonyms(rag.settings.synonyms).wordings(question)
    return Sought(question, tuple(wordings), tuple(mended))


def show_answer(
    question: str, pieces: Iterator[str | Answer], cost: bool = False, show_asked: bool = False
) -> None:
    """An answer as it comes, then its citations; with `cost`, what it took, with `show_asked`, its rewriting."""
    for piece in _waiting(question, pieces):
        if isinstance(piece, Answer):
            show()
            if show_asked and piece.asked:
                show(f"  → {piece.asked}", dim=True)
            show_citations(piece)
            if cost:
                show_usage(piece)
            show()
        else:
            show(piece, end="")


def _waiting(question: str, pieces: Iterator[str | Answer]) -> Iterator[str | Answer]:
    """`pieces`, with a spinner on the terminal until the first."""
    from rich.console import Console

    with Console(stderr=True).status(say("Reading…", "正在查阅……", question)):
        first = next(pieces)
    yield first
    yield from pieces


def _checked(question: str) -> str:
    """`question`, checked before any model is loaded. Raises QuestionError."""
    from rag.answering.answerer import validate_question

    # In a locale without Chinese (LC_ALL=C), Python does not decode the bytes of an argument.
    return validate_question(os.fsencode(question).decode("utf-8", "replace"))


def _where(source: str | None, kind: str | None, page: str | None) -> Where | None:
    if not (source or kind or page):
        return None
    pages = None
    if page:
        first, _, last = page.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            raise click.UsageError(
                say(
                    f"--page {page!r} is no page or range of pages: use 3 or 3-5",
                    f"--page {page!r} 不是页码或页码范围：请写 3 或 3-5",
                )
            )
        pages = (int(first), int(last or first))
    return Where(source, kind, pages)


def load_model(rag: RAG) -> None:
    """Load the language model, with a message on the terminal; Ctrl-C ends the process meanwhile."""
    from rag.cli.interrupt import end_at_once

    waiting = say("Loading the model…", "正在加载模型……") if is_terminal(sys.stderr) else ""
    with end_at_once():
        if waiting:
            show(waiting, err=True, end="\r")
        rag.answerer  # noqa: B018 - a property that loads
        if waiting:
            show(" " * 2 * len(waiting), err=True, end="\r")


@contextmanager
def open_rag(index: str | None, embedder: str | None, llm: str | None, **settings: Any) -> Iterator[RAG]:
    """The index, with a bar whenever model weights are fetched."""
    from rag.api import RAG
    from rag.cli.bars import download_bar
    from rag.index import Index

    with Index.open(index) as found:
        found.manifest()  # raises IndexMissing before any model is loaded or fetched
    with download_bar(), RAG.open(index, embedder=embedder, llm=llm, **settings) as rag:
        yield rag
