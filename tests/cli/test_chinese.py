"""With a Chinese locale what the command line says is Chinese, and every sentence of the table is one of ours."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Rag, Tree, environment
from pydantic import SecretStr

from rag import errors
from rag.cli.chinese import in_chinese, table
from rag.network.endpoint import Endpoint
from rag.network.failures import Failure, Kind
from rag.network.failures import sentence as sentence_of

ZH = {"LC_ALL": "zh_CN.UTF-8"}
NAMES = re.compile(
    r"[\w./:~-]*[./:_\d][\w./:~-]*|'[^']*'|`[^`]*`|--?[\w-]+|\brag( \w+)?|\b(OPTIONS|ARGS|QUESTION|COMMAND)\b"
)


def english(text: str) -> list[str]:
    """The English words of `text`, names of files, commands and options aside."""
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub(" ", text))


def strings(tree: ast.Module) -> Iterator[str]:
    """All text in the code, that of one f-string together."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)


def test_every_sentence_is_one_of_ours() -> None:
    files = [path for room in ("rag", "ingest") for path in (ROOT / room).rglob("*.py")]
    code = "\n".join(text for path in files for text in strings(ast.parse(path.read_text(encoding="utf-8"))))
    for part in ("reasons", "errors", "stores", "models"):
        for sentence in table()[part]:
            if sentence[0].isupper() or sentence.startswith("[Errno"):
                continue  # the operating system's
            pieces = [each.strip(" ():,;") for each in re.split(r"\{\w+\}", sentence)]
            assert all(each in code for each in pieces), sentence


def test_gaps_are_filled() -> None:
    for part in ("reasons", "errors", "stores", "models", "services", "usage", "libraries"):
        for sentence, chinese in table()[part].items():
            gaps = set(re.findall(r"\{(\w+)\}", sentence))
            assert set(re.findall(r"\{(\w+)\}", chinese)) <= gaps, sentence
            filled = in_chinese(re.sub(r"\{\w+\}", "7", sentence))
            assert filled is not None
            assert "{" not in filled
    assert in_chinese("a sentence that nobody says") is None
    assert in_chinese("too large: 7 bytes, and the most is 5") == "太大：7 字节，上限为 5"
    assert in_chinese("not a readable pdf file: empty") == "不是可读的 pdf 文件：空文件"
    assert in_chinese("there is no file or folder {x}: check the spelling") == "没有文件或文件夹 {x}：请检查拼写"


KINDS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def said(node: ast.expr) -> Iterator[str]:
    """What a string in the code may be, with 7 in its gaps."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr():
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "7" for each in node.values)
        case ast.IfExp():
            yield from said(node.body)
            yield from said(node.orelse)


def raised() -> Iterator[tuple[str, str]]:
    """Each sentence of an error in the code, and where it stands."""
    for path in (path for room in ("rag", "ingest") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in KINDS - {
                    "IndexMissing",
                    "IndexDamaged",
                    "MissingExtra",
                }:  # their sentences are their own
                    yield from ((f"{path.name}:{node.lineno}", text) for text in said(node.args[0]))


def test_every_error_has_chinese() -> None:
    found = list(raised())
    assert len(found) > 250
    words = [(where, " ".join(text.split())) for where, text in found if re.search("[a-z]{2}", text)]
    assert [each for each in words if in_chinese(each[1]) is None] == []
    for own in (errors.IndexMissing("7"), errors.IndexDamaged("7", "7"), errors.MissingExtra("7", "8", "9")):
        assert in_chinese(str(own)) is not None


def test_what_is_said_of_a_service_has_chinese() -> None:
    bare = Endpoint("openai", "http://127.0.0.1:9/v1")
    named = Endpoint("openai", "", SecretStr("sk-7"), "OPENAI_API_KEY", "RAG_OPENAI_BASE_URL")
    kinds: list[Kind] = ["key", "quota", "rate", "server", "timeout", "unreachable", "certificate", "missing"]
    failures = [Failure(kind, "no", 400, wait) for kind in kinds for wait in (None, 3.0)]
    lines = [sentence_of(at, found) for at in (bare, named) for found in failures]
    lines += [
        sentence_of(bare, failures[0], spent)
        for spent in (
            "did not end its answer within 9 s",
            "sent more than 16 MB for one answer",
            "sent a compressed answer (br), which it was asked not to do",
        )
    ]
    assert [line for line in lines if in_chinese(line) is None] == []


def test_a_reason_in_a_reason() -> None:
    said = in_chinese("the table x cannot be read: [Errno 2] No such file or directory: 'x'")
    assert said == "无法读取表格 x：没有这个文件或文件夹：'x'"


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", ""), ("search", "x", "--index", "faiss:none"), ("nonsense",), ("ask",),
        ("search", "x", "--top-k", "0"), ("search", "x", "--top-k", "many"), ("forget", "none"),
        ("ingest", "no-folder"), ("sources", "--all"),
    ],
)  # fmt: skip
def test_errors_are_chinese(run_rag: Rag, index: str, arguments: tuple[str, ...]) -> None:
    url = () if "--index" in arguments or arguments[0] in ("nonsense", "ask") else ("--index", index)
    done = run_rag(*arguments, *url, env=ZH)
    assert done.returncode in (1, 2)
    assert "错误" in done.stderr
    assert english(done.stderr) == []


def test_a_setting_of_the_environment(run_rag: Rag) -> None:
    done = run_rag("status", env={**ZH, "RAG_CHUNK_TOKENS": "abc"})
    assert done.stderr == "错误：环境变量 RAG_CHUNK_TOKENS 必须是整数，不能是 'abc'\n"


def test_reasons_and_status_are_chinese(run_rag: Rag, url: str, tree: Tree) -> None:
    folder = tree({"a.zzz": "x", "b.md": "", "c.md": "Some text.", "d.xyz": b"\x00\x01" * 50}, "papers")
    broken = ("e.pdf", "f.docx", "g.json", "h.png", "i.zip", "j.epub")
    tree({name: b"{" if name == "g.json" else b"\x01\x02" * 50 for name in broken}, "papers")
    done = run_rag("ingest", str(folder), "--index", url, "--embedder", "hashed", env=ZH)
    assert "跳过: papers/b.md (空文件)" in done.stderr
    assert set(english(done.stdout + done.stderr)) <= {"pdf", "PDFium", "docx", "JSON", "zip", "epub"}
    status = run_rag("status", "--index", url, env=ZH).stdout
    assert [line for line in status.splitlines() if line and not line.startswith(" ")] == [
        "索引", "索引的建立方式", "模型", "计算引擎", "设置", "语言模型的读写量（token）", "本机",
    ]  # fmt: skip
    assert Path(url.removeprefix("faiss:")).name in status


# All commands in one process of a Chinese terminal: what each says, and its exit status.
RUN = """
import contextlib, io, json, sys
from rag.cli import rag
from rag.cli.barrier import run
said = []
for arguments in json.loads(sys.stdin.read()):
    sys.argv[1:] = arguments
    sys.stdin = io.TextIOWrapper(io.BytesIO("/help\\n保修期多长\\n".encode()))
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        status = run(rag)
    said.append([arguments, status, out.getvalue()])
print(json.dumps(said))
"""
DOCUMENTS = {
    "a.md": "# 保修\n\n燕鸥的保修期为二十四个月。密封圈不在保修范围内。\n",
    **{f"t{n}.md": f"# 主题 {n}\n\n第 {n} 段内容讲的是第 {n} 台咖啡机的水箱。\n" for n in range(4)},
    "b.md": "",
    "c.zzz": "x",
}
EXAMPLES = "标签,文字\n甲,机器\n乙,保修\n甲,水箱\n乙,期限\n"
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ingest", "资料", "--embedder", "hashed"), ("ingest", "资料"), ("ingest", "资料", "--prune"), ("sources",),
    ("check",), ("check", "--repair"), ("search", "保修期"), ("search", "保修期", "--page", "z"),
    ("ask", "保修期多长", "--llm", "none"), ("chat", "--llm", "none"), ("copy", "faiss:一", "faiss:二"),
    ("forget", "资料/t1.md", "--dry-run"), ("forget", "资料/t1.md"), ("forget", "没有"), ("similar", "资料/t2.md"),
    ("duplicates",), ("topics",), ("map", "--html", "图.html"), ("map",), ("classify",),
    ("classify", "例.csv", "--text-column", "文字", "--label-column", "标签"), ("eval", "retrieval", "资料"),
    ("similarity", "甲", "乙", "--embedder", "hashed"), ("similarity", "甲"), ("words",), ("watch", "没有"),
    ("serve", "--host", "0.0.0.0"), ("models", "pull", "没有"), ("search",), ("eval", "没有"),
)  # fmt: skip
TERMS = {"OPTIONS", "ARGS", "PATH", "TEXT", "NAME", "NAMES", "DIR", "FROM", "FILE", "EXAMPLES", "EXAMPLE",
         "SOURCE", "WORD", "QUESTION", "COMMAND", "HTML", "PNG", "BEIR", "IDF", "Ctrl",
         "tiktoken"}  # fmt: skip


def test_no_english_in_what_commands_say(tmp_path: Path, tree: Tree) -> None:
    tree(DOCUMENTS, "资料")
    (tmp_path / "例.csv").write_text(EXAMPLES, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(COMMANDS), cwd=tmp_path, capture_output=True,
        encoding="utf-8", check=True,
        env={**environment(), **ZH, "RAG_INDEX": "faiss:一", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    ran = json.loads(done.stdout)
    assert len(ran) == len(COMMANDS)
    found = [(arguments, set(english(said)) - TERMS, said) for arguments, _, said in ran]
    assert [each for each in found if each[1]] == [], found
    assert all(re.search("[\u4e00-\u9fff]", said) for _, _, said in ran if said)
    assert [status for _, status, _ in ran].count(0) > 15
