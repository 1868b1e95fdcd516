"""`rag serve`: the page and the API over one or several indexes."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

import click

from rag.cli.screen import options, say, show
from rag.errors import ConfigError


@click.command(
    help=say(
        "Serve a page to ask in, and an API like OpenAI's.",
        "提供提问网页和 OpenAI 兼容接口。",
    )
)
@click.option(
    "--index",
    "indexes",
    multiple=True,
    metavar="[NAME=]URL",
    help=say("An index, several with a name each [default: faiss:data/index].", "索引；多个时各起一个名字。"),
)
@options("embedder", "llm", "strictness")
@click.option(
    "--host",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help=say("The address to listen at.", "监听地址。"),
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help=say("The port.", "端口。")
)
@click.option(
    "--key",
    metavar="KEY",
    default="",
    envvar="RAG_SERVER_KEY",
    show_envvar=True,
    help=say("The key that clients must send.", "客户端必须提供的密钥。"),
)
@click.option(
    "--origin",
    "origins",
    metavar="URL",
    multiple=True,
    help=say("A page elsewhere that may ask.", "允许访问的其他网页来源。"),
)
@click.option(
    "--name",
    "names",
    metavar="HOST",
    multiple=True,
    help=say("A further name of this server.", "本服务器的其他主机名。"),
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help=say("A folder of this machine that clients may have read.", "允许客户端导入的本机文件夹。"),
)
@click.option(
    "--uploads",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help=say("Where what is uploaded is kept.", "上传文件的保存位置。"),
)
@click.option(
    "--open-webui", is_flag=True, help=say("Send Open WebUI's source events.", "发送 Open WebUI 的来源事件。")
)
@click.option("--log-questions", is_flag=True, help=say("Log what is asked.", "在日志中记录问题。"))
@click.option("--no-browser", is_flag=True, help=say("Open no browser.", "不打开浏览器。"))
def serve(
    indexes: Sequence[str],
    embedder: str | None,
    llm: str | None,
    strictness: float | None,
    host: str,
    port: int,
    key: str,
    origins: Sequence[str],
    names: Sequence[str],
    roots: Sequence[Path],
    uploads: Path | None,
    open_webui: bool,
    log_questions: bool,
    no_browser: bool,
) -> None:
    from rag.cli.bars import download_bar
    from rag.config import load_indexes, load_settings
    from rag.server.indexes import Indexes
    from rag.server.options import Options, check_options
    from rag.server.run import serve as run

    wanted = check_options(
        Options(
            host=host,
            port=port,
            key=key,
            origins=tuple(origins),
            names=tuple(names),
            roots=tuple(roots),
            uploads=uploads,
            open_webui=open_webui,
            log_questions=log_questions,
            max_upload=load_settings().file_bytes,
        )
    )
    urls = named_urls(indexes) or load_indexes() or {"default": load_settings().index}
    with download_bar():
        opened = Indexes(urls, llm, embedder=embedder, strictness=strictness)
        opened.load()

    def ready(address: str) -> None:
        show(say(f"Serving at {address} (Ctrl-C stops)", f"已启动：{address}（按 Ctrl-C 停止）"))
        if not no_browser:
            webbrowser.open(f"{address}#key={key}" if key else address)

    run(opened, wanted, ready)


@click.command(
    help=say(
        "Give chat programs the documents as tools (Model Context Protocol, over stdin and stdout).",
        "把文档作为工具提供给聊天程序（MCP 协议，标准输入输出）。",
    )
)
@options("index", "embedder", "llm", "strictness")
def mcp(index: str | None, embedder: str | None, llm: str | None, strictness: float | None) -> None:
    from rag.api import RAG
    from rag.mcp import run_stdio

    with RAG.open(index, embedder=embedder, llm=llm, strictness=strictness) as rag:
        run_stdio(rag)


def named_urls(indexes: Sequence[str]) -> dict[str, str]:
    """``NAME=URL`` by name; one alone needs no name. Raises ConfigError."""
    found: dict[str, str] = {}
    for index in indexes:
        name, equals, url = index.partition("=")
        if not equals or ":" in name:
            name, url = "default", index
        if name in found:
            raise ConfigError(
                f"two indexes are called {name}: name each, as in --index manuals=faiss:data/manuals"
            )
        found[name] = url
    return found
