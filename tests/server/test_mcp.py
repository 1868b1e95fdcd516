"""The MCP tools, called by the protocol's own client over both transports."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conftest import command, environment
from helpers.serving import make_index
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp.client.stdio import stdio_client


async def use_tools(client: Client) -> None:
    """Every tool once, with what must come back."""
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == {"search", "fetch", "ask", "list_documents", "grep"}
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
    assert all(tool.output_schema for tool in tools)

    async def call(name: str, **arguments: Any) -> dict[str, Any]:
        result = await client.call_tool(name, arguments)
        assert not result.is_error, result.content
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    found = await call("search", query="When does the car park open?", limit=3)
    assert found["results"][0]["id"] == "docs/office.md"
    fetched = await call("fetch", id="docs/office.md")
    assert "The kitchen is cleaned on Fridays." in fetched["text"]
    answer = await call("ask", question="When does the car park open?")
    assert not answer["refused"]
    assert "opens at 7:30" in answer["answer"]
    assert "opens at 7:30" in answer["citations"][0]["text"]
    listed = await call("list_documents", pattern="OFFICE")
    assert [each["id"] for each in listed["documents"]] == ["docs/office.md"]
    lines = await call("grep", text="FRIDAYS")
    assert [match["source"] for match in lines["matches"]] == ["docs/office.md"]
    missing = await client.call_tool("fetch", {"id": "../../etc/passwd"})
    assert missing.is_error
    assert "there is no document" in str(missing.content)
    too_long = await client.call_tool("ask", {"question": "x" * 5000})
    assert too_long.is_error
    read = await client.read_resource("ragstone://documents/docs%2Foffice.md")
    assert "Bicycles" in str(read.contents[0])


def run(test: Callable[[], Awaitable[None]], seconds: float = 60) -> None:
    asyncio.run(asyncio.wait_for(test(), seconds))


def test_over_http(served: str) -> None:
    async def test() -> None:
        for path in ("/mcp", "/mcp/notes"):
            async with Client(f"{served}{path}") as client:
                await use_tools(client)
                got = await client.call_tool("ask", {"question": "Is the kitchen painted blue?"})
                assert got.structured_content is not None
                assert (got.structured_content["refused"], got.structured_content["citations"]) == (True, [])
                assert got.structured_content["nearest"][0]["id"] == "docs/office.md"

    run(test)


def test_over_stdio(tmp_path: Path) -> None:
    office = "# Office\n\nThe car park opens at 7:30. Bicycles stand here.\n\nThe kitchen is cleaned on Fridays.\n"
    url = make_index(tmp_path, {"office.md": office})
    program, *arguments = command("mcp", "--index", url, "--llm", "none")
    parameters = StdioServerParameters(command=program, args=list(arguments), env=environment())

    async def test() -> None:
        async with Client(stdio_client(parameters)) as client:
            await use_tools(client)

    run(test)


def test_nothing_but_the_protocol_on_stdout(tmp_path: Path) -> None:
    url = make_index(tmp_path, {"office.md": "# Office\n\nThe car park opens at 7:30.\n"})
    hello = (
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
        '"clientInfo":{"name":"t","version":"1"}}}\nnonsense\n'
    )
    done = subprocess.run(
        command("mcp", "--index", url, "--llm", "none"),
        input=hello, capture_output=True, text=True, timeout=60, env=environment(), check=False,
    )  # fmt: skip
    assert done.stdout.startswith('{"jsonrpc":"2.0","id":1,"result"')
    assert all(line.startswith('{"jsonrpc"') for line in done.stdout.splitlines())


def test_no_index_is_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *command("mcp", "--index", "faiss:/dev/null/x", "--llm", "none")[1:]],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=environment(),
        cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
