"""With a Chinese locale what the command line says is Chinese, and every sentence of the table is one of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT, Rag, Tree

from rag.cli.chinese import in_chinese, table

ZH = {"LC_ALL": "zh_CN.UTF-8"}
NAMES = re.compile(
    r"[\w./:~-]*[./:_\d][\w./:~-]*|'[^']*'|`[^`]*`|--?[\w-]+|\brag( \w+)?|\b(OPTIONS|ARGS|QUESTION|COMMAND)\b"
)


def english(text: str) -> list[str]:
    """The English words of `text`, names of files, commands and options aside."""
    return re.findall(r"[A-Za-z]{3,}", NAMES.sub(" ", text))


def test_every_sentence_is_one_of_ours() -> None:
    files = [path for room in ("rag", "ingest") for path in (ROOT / room).rglob("*.py")]
    code = re.sub(r"\"\s*\n\s*f?\"", "", "\n".join(path.read_text(encoding="utf-8") for path in files))
    for part in ("reasons", "errors"):
        for sentence in table()[part]:
            if sentence[0].isupper():
                continue  # the operating system's
            pieces = [each for each in re.split(r"\{\w+\}|\.ragignore", sentence) if len(each.strip()) > 3]
            assert all(each.strip() in code for each in pieces), sentence


def test_gaps_are_filled() -> None:
    for part in ("reasons", "errors", "usage"):
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


def test_reasons_and_status_are_chinese(run_rag: Rag, url: str, tree: Tree) -> None:
    folder = tree({"a.zzz": "x", "b.md": "", "c.md": "Some text.", "d.xyz": b"\x00\x01" * 50}, "papers")
    done = run_rag("ingest", str(folder), "--index", url, "--embedder", "hashed", env=ZH)
    assert "跳过: papers/b.md (空文件)" in done.stderr
    assert english(done.stdout + done.stderr) == []
    status = run_rag("status", "--index", url, env=ZH).stdout
    assert [line for line in status.splitlines() if line and not line.startswith(" ")] == [
        "索引", "索引的建立方式", "模型", "计算引擎", "设置", "语言模型的读写量（token）", "本机",
    ]  # fmt: skip
    assert Path(url.removeprefix("faiss:")).name in status
