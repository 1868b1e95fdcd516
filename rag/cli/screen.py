"""What the commands share: the language of the terminal, options, bars, and how an answer looks."""

from __future__ import annotations

import json
import locale
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import click

from rag import errors
from rag.cli.chinese import in_chinese
from rag.text import language
from rag.text.sanitise import terminal_json, terminal_text
from rag.types import Answer, Chunk, Citation

Command = TypeVar("Command", bound=Callable[..., Any])

QUOTE = 200  # characters of a quotation that are shown; --json has all


def say(english: str, chinese: str, like: str | None = None) -> str:
    """One of two texts: in the language of `like` if given, else of the locale."""
    if like is not None:
        return chinese if language(like) == "zh" else english
    return chinese if is_chinese() else english


def is_chinese() -> bool:
    """Whether the terminal's locale is Chinese."""
    return _locale().startswith("zh")


def _locale() -> str:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return os.environ[name].lower()
    return (locale.getlocale()[0] or "").lower().replace("chinese", "zh")


# The kind of an error in Chinese; the sentence behind it says in English what was wrong.
_KINDS: tuple[tuple[type[errors.RagError], str], ...] = (
    (errors.IndexMissing, "这里还没有索引，请先运行 rag ingest"),
    (errors.IndexLocked, "另一个进程正在写入该索引，请等它结束后重试"),
    (errors.IndexDamaged, "索引已损坏，请运行 rag check --repair"),
    (errors.IndexVersion, "索引由其他版本建立，请重新导入到新的索引"),
    (errors.EmbedderMismatch, "该索引是用另一个嵌入模型建立的"),
    (errors.StoreError, "索引无法使用"),
    (errors.MissingExtra, "缺少一个可选的软件包"),
    (errors.HashMismatch, "模型文件与目录中的不一致"),
    (errors.ModelError, "模型无法使用"),
    (errors.EmbedderError, "嵌入失败"),
    (errors.LoadError, "文件无法读取"),
    (errors.LLMError, "语言模型出错"),
    (errors.SpaceError, "无法整理这些文档"),
    (errors.QuestionError, "这个问题无法提问"),
    (errors.ConfigError, "设置有误"),
)


def show_error(error: errors.RagError, like: str | None = None) -> None:
    """One line on stderr; in Chinese, what has no Chinese of its own has the kind of error before it."""
    kind = next((f"错误（{words}）" for of, words in _KINDS if isinstance(error, of)), "错误")
    show_failure(str(error), say("error", kind, like), like)


def show_failure(sentence: str, kind: str, like: str | None = None) -> None:
    """What went wrong, on one line of stderr: `kind`, and the sentence."""
    line = " ".join(sentence.split())
    chinese = say("", in_chinese(line) or "", like)
    show(f"错误：{chinese}" if chinese else f"{kind}: {line}", err=True)


def say_reason(reason: str) -> str:
    """Why a file was not read, in the reader's language."""
    return say(reason, in_chinese(reason) or reason)


def show(text: str = "", *, err: bool = False, end: str = "\n", **style: Any) -> None:
    """Print `text`: whatever the command line says goes through here or `show_json`.

    What a document, a name or a model holds must not steer the terminal (`terminal_text`). `style` is click's.
    """
    with _written():
        click.secho(terminal_text(text) + end, err=err, nl=False, **style)


def flush() -> None:
    """Flush what was printed. Raises Unwritable, BrokenPipeError."""
    with _written():
        if sys.stdout is not None:
            sys.stdout.flush()


class Unwritable(Exception):
    """Standard output takes nothing more; the message is the reason."""


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise Unwritable(exc.strerror or str(exc)) from exc


def is_terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal; it is None if it was closed when the process began."""
    return stream is not None and stream.isatty()


def options(*names: str) -> Callable[[Command], Command]:
    """The shared options of these names, in order."""

    def add(command: Command) -> Command:
        for name in reversed(names):
            command = _OPTIONS[name](command)
        return command

    return add


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "index": click.option(
        "--index",
        metavar="URL",
        help=say("The index [default: faiss:data/index].", "索引 [默认：faiss:data/index]。"),
    ),
    "embedder": click.option(
        "--embedder",
        metavar="NAME",
        help=say(
            "Embedder: bilingual (default), e5, minilm, st:NAME-OR-PATH, clip:NAME-OR-PATH (pictures too), "
            "vectors:FILE, openai:, dashscope:, ollama:, modelscope:, bge-m3.",
            "嵌入模型：bilingual（默认）、e5、minilm、st:名称或路径、clip:名称或路径（也能看图片）、vectors:文件、"
            "openai:、dashscope:、ollama:、modelscope:模型名、bge-m3。",
        ),
    ),
    "llm": click.option(
        "--llm",
        metavar="NAME",
        help=say(
            "Language model: local (default), none (quotations only), openai:, deepseek:, dashscope:, ollama:, "
            "anthropic:MODEL …",
            "语言模型：local（默认）、none（只给原文）、openai:、deepseek:、dashscope:、ollama:、anthropic:模型名……",
        ),
    ),
    "top_k": click.option(
        "--top-k", type=click.IntRange(1, 1000), help=say("How many passages are looked at.", "取前几个段落。")
    ),
    "strictness": click.option(
        "--strictness",
        type=click.FloatRange(0, 1),
        help=say(
            "How sure an answer must be to be given, 0 to 1 (default 0.5).",
            "给出回答所需的把握，0 到 1（默认 0.5）。",
        ),
    ),
    "json": click.option("--json", "as_json", is_flag=True, help=say("Print JSON.", "输出 JSON。")),
    "source": click.option(
        "--source",
        metavar="GLOB",
        help=say("Only sources like this, as in 'manuals/*'.", "只查这些来源，如 'manuals/*'。"),
    ),
    "type": click.option(
        "--type",
        "kind",
        metavar="TYPE",
        help=say("Only files of this type (pdf, markdown…).", "只查这种类型（pdf、markdown…）。"),
    ),
    "page": click.option("--page", metavar="N[-M]", help=say("Only these pages.", "只查这些页。")),
}


def show_json(value: Any) -> None:
    """One JSON document on stdout; characters that the terminal lacks are escaped."""
    plain = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "") != "utf8"
    with _written():
        click.echo(terminal_json(json.dumps(value, ensure_ascii=plain)))


def place(chunk: Chunk | Citation, like: str | None = None) -> str:
    """Where something stands, as a reader looks it up: file, page, heading."""
    parts = [chunk.source]
    if chunk.page is not None:
        parts.append(say(f"p. {chunk.page}", f"第 {chunk.page} 页", like))
    if chunk.heading:
        parts.append(" > ".join(_row(title, like) for title in chunk.heading))
    return " · ".join(parts)


def _row(title: str, like: str | None) -> str:
    """A heading; the name of a table's row is said in the reader's language."""
    number = title.removeprefix("row ")
    return say(title, f"第 {number} 行", like) if title.startswith("row ") and number.isdecimal() else title


def show_citations(answer: Answer) -> None:
    """The citations under an answer: each place once with its numbers, and the quotations that the answer lacks.

    Under a refusal, what comes nearest.
    """
    places: dict[str, list[Citation]] = {}
    for citation in answer.citations:
        places.setdefault(place(citation, answer.question), []).append(citation)
    for where, cited in places.items():
        show(f"  {''.join(f'[{citation.n}]' for citation in cited)} {where}", bold=True)
        for citation in cited:
            if _one_line(citation.quote) not in answer.text:
                show(f"      {_short(citation.quote)}", dim=True)
    if answer.refused and answer.nearest:
        show(say("  What comes nearest:", "  最接近的内容：", answer.question), dim=True)
        for citation in answer.nearest:
            show(f"  · {place(citation, answer.question)}", bold=True)
            show(f"      {_short(citation.quote)}", dim=True)


def _one_line(quote: str) -> str:
    return " ".join(quote.split())


def _short(quote: str) -> str:
    line = _one_line(quote).lstrip("# ")
    return line if len(line) <= QUOTE else line[:QUOTE] + "…"


def show_usage(answer: Answer) -> None:
    """Tokens read and written, and what they cost where the price is known."""
    used = answer.usage
    tokens = say(
        f"{used.prompt:,} tokens read, {used.completion:,} written",
        f"读入 {used.prompt:,} 个词元，写出 {used.completion:,} 个",
        answer.question,
    )
    unknown = say("cost not known (RAG_PRICES)", "费用未知（RAG_PRICES）", answer.question)
    show(f"  {answer.model} · {tokens} · {unknown if used.cost is None else f'${used.cost:.6f}'}", dim=True)
