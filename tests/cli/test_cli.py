"""The command line: the JSON that others rely on, exit statuses, and one clear line for what went wrong."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Rag, Tree
from helpers.scripted import ScriptedLLM

import rag.api
from rag.cli import main
from rag.stores import open_store
from rag.text.sanitise import terminal_text as plain

FRAGE = "燕鸥咖啡机的保修期是多久？"
QUESTION = "How long is the warranty of the Tern machine?"
HIT = ["rank", "score", "source", "page", "heading", "start", "end", "text", "also"]


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line on stderr of a command that failed."""
        assert self.status == 1
        assert self.out == ""
        assert self.err.startswith("error: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err[7:-1]


Call = Callable[..., Done]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Runs the command line in this process, in an empty folder, on an English terminal."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")

    def run(*arguments: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["rag", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as end:
            assert end.code is None or isinstance(end.code, int)
            status = end.code or 0
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return run


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model behind every name."""
    llm = ScriptedLLM({QUESTION: "The warranty lasts 24 months.", FRAGE: "保修期为二十四个月。"})
    monkeypatch.setattr(rag.api, "load_llm", lambda *_: llm)
    monkeypatch.setenv("RAG_STRICTNESS", "0.2")


# ── contracts ────────────────────────────────────────────────────────────────────────────────────────


def test_search_in_json(call: Call, index: str) -> None:
    done = call("search", QUESTION, "--index", index, "--top-k", "2", "--json")
    assert (done.status, done.err) == (0, "")
    assert list(done.json) == ["hits", "missing", "timings"]
    assert [list(hit) for hit in done.json["hits"]] == [HIT, HIT]
    hit = done.json["hits"][0]
    assert (hit["rank"], hit["source"], hit["page"], hit["heading"]) == (1, "notes/warranty.txt", None, "warranty")
    assert hit["text"].startswith("The warranty of the Tern machine lasts 24 months.")
    assert (hit["start"], hit["end"]) == (0, len(hit["text"]))
    assert 0 < hit["score"] <= 1
    assert all(isinstance(seconds, float) for seconds in done.json["timings"].values())


def test_search_with_filters(call: Call, index: str) -> None:
    def found(*options: str) -> set[str]:
        return {h["source"] for h in call("search", "warranty", "--index", index, "--json", *options).json["hits"]}

    assert found("--type", "csv") == {"notes/people.csv"}
    assert found("--source", "*/w*") == {"notes/warranty.txt"}
    assert found("--page", "1-3") == set()


def test_ask_in_json(call: Call, index: str, scripted: None) -> None:
    done = call("ask", QUESTION, "--index", index, "--json")
    assert (done.status, done.err) == (0, "")
    answer = done.json
    keys = ["question", "asked", "answer", "short", "refused", "citations", "nearest", "hits", "model", "usage"]
    assert list(answer) == [*keys, "timings"]
    assert (answer["question"], answer["answer"]) == (QUESTION, "The warranty lasts 24 months. [1]")
    assert (answer["refused"], answer["model"]) == (False, "scripted:test")
    assert answer["citations"] == [
        {
            "n": 1,
            "source": "notes/warranty.txt",
            "page": None,
            "heading": "warranty",
            "quote": "The warranty of the Tern machine lasts 24 months.",
            "start": 0,
            "end": 49,
            "boxes": [],
            "lines": [1, 1],
        }
    ]
    assert [list(hit) for hit in answer["hits"]] == [HIT] * len(answer["hits"])
    assert set(answer["usage"]) == {"prompt", "completion", "cached", "cost"}
    assert all(isinstance(seconds, float) for seconds in answer["timings"].values())


def test_a_refusal_in_json(call: Call, index: str, scripted: None) -> None:
    answer = call("ask", "Who won the 2022 World Cup?", "--index", index, "--json").json
    assert (answer["refused"], answer["citations"]) == (True, [])
    assert answer["answer"] == "The documents do not answer this question."


def test_ingest_in_json(call: Call, url: str, notes: Path, tree: Tree) -> None:
    tree({"empty.txt": "", "broken.docx": "x"}, "notes")
    done = call("ingest", notes, "--index", url, "--embedder", "hashed", "--json")
    assert (done.status, done.err) == (3, "")
    keys = "added updated unchanged removed moved skipped failed cut ocr_pages gone chunks seconds".split()
    assert list(done.json) == keys
    assert [done.json[key] for key in keys[:4]] == [4, 0, 0, 0]
    assert done.json["skipped"] == [{"source": "notes/empty.txt", "reason": "empty"}]
    assert [list(row) for row in done.json["failed"]] == [["source", "reason"]]
    assert done.json["failed"][0]["source"] == "notes/broken.docx"
    assert done.json["chunks"] == 7
    assert done.json["seconds"] > 0


def test_eval_retrieval_in_json(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    folder.mkdir()
    corpus = [
        {"_id": f"d{n}", "title": "", "text": text} for n, text in enumerate(["red apple", "green pear", "猫"])
    ]
    queries = [{"_id": "q0", "text": "pear"}, {"_id": "q1", "text": "猫"}, {"_id": "q2", "text": "nothing"}]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    qrels = "query-id\tcorpus-id\tscore\nq0\td1\t2\nq0\td0\t1\nq1\td2\t1\nq2\td0\t0\n"
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    done = call("eval", "retrieval", folder, "--embedder", "hashed", "--json")
    assert (done.status, done.err) == (0, "")
    keys = [
        "docs",
        "queries",
        "ndcg@10",
        "recall@1",
        "recall@5",
        "recall@10",
        "mrr@10",
        "seconds_index",
        "ms_query_p50",
    ]
    assert list(done.json) == keys
    assert [done.json[key] for key in ("docs", "queries", "recall@1", "recall@5", "mrr@10")] == [
        3,
        2,
        0.75,
        1.0,
        1.0,
    ]
    assert 0.9 < done.json["ndcg@10"] <= 1


def test_sources_and_status_in_json(call: Call, index: str) -> None:
    listed = call("sources", "--index", index, "--json").json["sources"]
    assert [row["source"] for row in listed] == [
        "notes/office.md",
        "notes/people.csv",
        "notes/warranty.txt",
        "notes/保修.md",
    ]
    status = call("status", "--index", index, "--json").json
    assert status["manifest"]["embedder"] == "hashed"
    assert status["index"]["url"] == index
    assert status["index"]["documents"] == 4
    assert set(status["models"].values()) <= {"here", "missing"}


# ── for readers ──────────────────────────────────────────────────────────────────────────────────────


def test_ask(call: Call, index: str, scripted: None) -> None:
    done = call("ask", QUESTION, "--index", index)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "The warranty lasts 24 months. [1]",
        "  [1] notes/warranty.txt · warranty",
        "      The warranty of the Tern machine lasts 24 months.",
        "",
    ]


def test_ask_in_chinese_is_answered_in_chinese(call: Call, index: str, scripted: None) -> None:
    done = call("ask", FRAGE, "--index", index)
    assert done.out.splitlines()[:2] == ["保修期为二十四个月。 [1]", "  [1] notes/保修.md · 保修政策"]


def test_search(call: Call, index: str) -> None:
    lines = call("search", "parking", "--index", index, "--top-k", "1").out.splitlines()
    assert re.fullmatch(r" 1\. 0\.\d{3}  notes/office\.md · Office > Parking", lines[0])
    assert "7:30" in lines[1]
    assert call("search", "Where is KV-30-3?", "--index", index).out.startswith("In no document: KV-30-3\n")
    assert call("search", "parking", "--index", index, "--type", "pdf").out.startswith(
        "Nothing in the index matches the filter"
    )


def test_ingest_says_what_it_did(call: Call, url: str, notes: Path, tree: Tree) -> None:
    arguments = ("ingest", notes, "--index", url, "--embedder", "hashed")
    done = call(*arguments)
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(
        r"4 added, 0 updated, 0 unchanged, 0 removed, 0 skipped, 0 failed · 7 chunks · \d\.\d s\n", done.out
    )
    assert call(*arguments).out == "Nothing changed: 4 files are as they were.\n"
    tree({"broken.pdf": "x", "empty.md": ""}, "notes")
    done = call(*arguments)
    assert done.status == 3
    assert done.err.startswith("skipped: notes/empty.md (empty)\nfailed: notes/broken.pdf (")


def test_ingest_of_an_empty_folder(call: Call, url: str, tree: Tree) -> None:
    done = call("ingest", tree({}), "--index", url, "--embedder", "hashed")
    assert (done.status, done.out) == (0, "There was nothing to read there.\n")


def test_columns_of_a_table(call: Call, url: str, notes: Path) -> None:
    call("ingest", notes / "people.csv", "--index", url, "--embedder", "hashed", "--csv-text", "name, extension")
    hits = call("search", "Anna", "--index", url, "--json").json["hits"]
    assert hits[0]["text"] == "name: Anna Lindqvist\nextension: 7741"
    assert hits[0]["heading"] == "people > row 1"


def test_forget(call: Call, index: str) -> None:
    assert call("forget", "notes/保修.md", "--index", index).out == "Forgotten: notes/保修.md\n"
    assert "保修" not in call("sources", "--index", index).out
    message = call("forget", "notes/保修.md", "--index", index).error
    assert message == "the index has no source 'notes/保修.md': `rag sources` lists them"


def test_forget_folders_and_patterns(call: Call, index: str, notes: Path) -> None:
    names = ["notes/office.md", "notes/保修.md"]
    shown = call("forget", "notes/*.md", "--dry-run", "--index", index).out
    assert shown.splitlines() == [f"Would be forgotten: {name}" for name in names]
    assert "no source 'no/such'" in call("forget", "notes", "no/such", "--index", index).error
    assert len(call("sources", "--index", index).out.splitlines()) == 4
    assert call("forget", "notes/*.md", "--index", index).out.count("Forgotten") == 2
    assert call("forget", notes, "--index", index).out.count("Forgotten") == 2


def test_files_that_are_gone(call: Call, index: str, notes: Path, tree: Tree) -> None:
    other = tree({"new.md": "Something new."}, "other")
    shutil.rmtree(notes)
    done = call("ingest", other, "--index", index)
    assert done.err.startswith("gone: the files of 4 sources in the index (notes/office.md, ")
    assert "`rag ingest --prune`" in done.err
    assert "4 removed" in call("ingest", "--prune", "--index", index).out
    assert call("ingest", "--index", index).status == 2


def test_a_question_that_begins_with_a_dash(call: Call, index: str) -> None:
    assert call("search", "-z 选项做什么，保修期多久", "--index", index).status == 0
    assert call("search", "--warranty of the Tern", "--index", index).status == 0


def test_an_index_by_its_path(call: Call, index: str) -> None:
    folder = index.removeprefix("faiss:")
    assert call("sources", "--index", folder).out == call("sources", "--index", index).out


def test_models_fit_a_terminal(call: Call) -> None:
    lines = call("models", "list").out.splitlines()
    assert lines[0].split() == ["name", "MB", "here", "licence"]
    assert max(map(len, lines)) <= 80
    assert any("MIT" in line for line in lines[1:])


def test_version_and_help(call: Call) -> None:
    assert call("--version").out == "ragstone, version 0.1.0\n"
    names = "ask chat eval forget ingest models search sources status".split()
    shown = call("--help").out
    assert all(re.search(rf"^  {name} ", shown, re.MULTILINE) for name in names)
    for name in names:
        assert call(name, "--help").status == 0


def test_a_settings_file(call: Call, index: str, tmp_path: Path) -> None:
    (tmp_path / "here" / "rag.toml").write_text(f"index = {json.dumps(index)}\nllm = 'none'\n", encoding="utf-8")
    assert call("ask", QUESTION, "--json").json["model"] == "none"


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────


def test_a_missing_folder(call: Call, url: str, tmp_path: Path) -> None:
    missing = tmp_path / "没有"
    message = call("ingest", missing, "--index", url).error
    assert message == f"there is no file or folder {missing}: check the spelling"
    assert not Path(url.removeprefix("faiss:")).exists()


@pytest.mark.parametrize(
    "command", [("ask", QUESTION), ("search", QUESTION), ("chat",), ("sources",), ("forget", "x")]
)
def test_no_index(call: Call, url: str, command: tuple[str, ...]) -> None:
    message = call(*command, "--index", url).error
    assert message == f"there is no index at {url}: run `rag ingest FOLDER --index {url}` first"


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("  ", "the question is empty: ask something"),
        ("x" * 100_000, "the question has 100,000 characters, and the most is 4,000: shorten it"),
    ],
)
def test_questions_that_cannot_be_asked(call: Call, index: str, command: str, question: str, message: str) -> None:
    assert call(command, question, "--index", index).error == message


def test_another_embedder_names_both(call: Call, index: str, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rag.embedders.hashed import HashedEmbedder

    monkeypatch.setattr(HashedEmbedder, "id", "other")
    for command in (("search", QUESTION), ("ask", QUESTION), ("ingest", str(notes))):
        message = call(*command, "--index", index, "--embedder", "hashed").error
        assert "was made with the embedder hashed" in message
        assert "not with other" in message
        assert "--embedder hashed" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--index", "chroma:x"], "no store is reached by 'chroma'"),
        (["--embedder", "nobody"], "no embedder is called 'nobody'"),
        (["--llm", "oracle"], "no language model is called 'oracle'"),
    ],
)
def test_names_that_mean_nothing(call: Call, index: str, arguments: list[str], message: str) -> None:
    assert call("ask", QUESTION, "--index", index, *arguments).error.startswith(message)


@pytest.mark.parametrize("text", ["top_k = ", "nonsense = 1", "top_k = 'x'"])
def test_a_broken_settings_file(call: Call, index: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "here" / "rag.toml").write_text(text, encoding="utf-8")
    assert "rag.toml" in call("ask", QUESTION, "--index", index).error


def test_a_locked_index(call: Call, index: str, notes: Path) -> None:
    store = open_store(index)
    manifest = store.manifest()
    assert manifest is not None
    with store.write(manifest):
        assert "is being written to by process" in call("ingest", notes, "--index", index).error
        assert call("search", QUESTION, "--index", index, "--json").status == 0
    store.close()


def test_something_else_in_the_place_of_the_index(call: Call, tmp_path: Path, notes: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ragstone.sqlite").write_text(
        "not a database, but long enough to look at", encoding="utf-8"
    )
    for command in (("search", QUESTION), ("ingest", str(notes), "--embedder", "hashed")):
        assert "is not a ragstone index" in call(*command, "--index", f"faiss:{tmp_path / 'other'}").error
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert call("ingest", notes, "--index", f"faiss:{tmp_path / 'file'}", "--embedder", "hashed").error


def test_an_eval_folder_that_is_none(call: Call, tmp_path: Path) -> None:
    assert "is no BEIR folder" in call("eval", "retrieval", tmp_path, "--embedder", "hashed").error


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"], ["ask"], ["ingest"], ["ask", "x", "--nonsense"], ["search", "x", "--top-k", "0"],
        ["search", "x", "--top-k", "many"], ["search", "x", "--page", "three"],
    ],
)  # fmt: skip
def test_wrong_usage_is_status_2(
    call: Call, index: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_INDEX", index)
    done = call(*arguments)
    assert (done.status, done.out) == (2, "")
    assert "\nerror: " in done.err
    assert done.err.startswith("Usage: rag ")


# ── chat ─────────────────────────────────────────────────────────────────────────────────────────────


def test_chat_in_a_pipe(call: Call, index: str, scripted: None) -> None:
    lines = [
        QUESTION,
        "",
        "/sources",
        "/nonsense",
        "/new",
        "/help",
        "x" * 5000,
        FRAGE,
        "/quit",
        "never",
    ]
    done = call("chat", "--index", index, "--llm", "any", stdin="\n".join(lines) + "\n")
    assert done.status == 0
    shown = done.out.splitlines()
    assert shown[0] == f"› {QUESTION}"
    assert shown[1] == "The warranty lasts 24 months. [1]"
    for line in (
        "  [1] notes/warranty.txt · warranty",
        "notes/people.csv",
        "No command is called /nonsense: see /help",
        "A new conversation.",
        "保修期为二十四个月。 [1]",
    ):
        assert line in shown
    assert any(line.startswith("/sources  ") for line in shown)
    assert not any("never" in line for line in shown)
    assert done.err == "error: the question has 5,000 characters, and the most is 4,000: shorten it\n"


def test_chat_ends_with_its_input(call: Call, index: str) -> None:
    done = call("chat", "--index", index, "--llm", "none", stdin=QUESTION)
    assert done.status == 0
    assert "“The warranty of the Tern machine lasts 24 months." in done.out
    assert call("chat", "--index", index, "--llm", "none").out == ""


def test_a_follow_up_in_a_pipe(call: Call, index: str) -> None:
    done = call(
        "chat", "--index", index, "--llm", "none", stdin="When does the car park open?\nAnd when does it close?\n"
    )
    assert done.out.count("  [1] notes/office.md · Office > Parking") == 2


# ── terminals ────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_does_not_steer_the_terminal(call: Call, url: str, tree: Tree) -> None:
    name = "evil\x1b[2J.md" if sys.platform != "win32" else "evil.md"
    folder = tree({name: "The password\x1b]0;owned\x07 is \x9b31mred\u202e and\u2066 long."})
    call("ingest", folder, "--index", url, "--embedder", "hashed")
    commands: list[tuple[str, ...]] = [("search", "password"), ("ask", "password", "--llm", "none"), ("sources",)]
    for command in commands:
        done = call(*command, "--index", url)
        assert "evil" in done.out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]", done.out)
    done = call("ingest", "no\x1b[31msuch\nfolder", "--index", url)
    assert done.error == "there is no file or folder no�[31msuch folder: check the spelling"


def test_plain_leaves_text_as_it_is() -> None:
    text = "　　段首。\u00a0thin\u2009space 🏳️‍🌈 a\u0301 ﬁ \t|\n مرحبا"
    assert plain(text) == text
    assert plain("a\r\nb\x00\x1b\x85\u2028") == "a\nb����"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gb18030", "cp1252"])
def test_a_terminal_that_is_not_utf_8(run_rag: Rag, index: str, encoding: str) -> None:
    """What it cannot show is shown as "?" (or, where it claims to know ASCII alone, sent all the same)."""
    env = {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    done = run_rag(
        "search", FRAGE, "--index", index, env=env, encoding="utf-8" if encoding == "ascii" else encoding
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = "notes/??.md" if encoding in {"latin-1", "cp1252"} else "notes/保修.md"
    assert shown in done.stdout
    done = run_rag("search", FRAGE, "--index", index, "--json", env=env, encoding="ascii")
    assert json.loads(done.stdout)["hits"][0]["source"] == "notes/保修.md"


def test_the_c_locale(run_rag: Rag, notes: Path) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert run_rag("ingest", notes, "--embedder", "hashed", env={"LC_ALL": "C"}).stdout[:7] == "4 added"
    done = run_rag("ask", "保修期多久", "--llm", "none", "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["question"] == "保修期多久"
    assert json.loads(done.stdout)["citations"][0]["source"] == "notes/保修.md"
    done = run_rag("ask", "保修", "--index", "faiss:nowhere", env=env)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_chinese_terminal(run_rag: Rag, index: str, notes: Path) -> None:
    chinese = {"LC_ALL": "zh_CN.UTF-8"}
    assert "用您自己的文档回答问题" in run_rag("--help", env=chinese).stdout
    done = run_rag("ingest", notes, "--index", index, env=chinese)
    assert done.stdout == "没有变化：4 个文件保持原样。\n"
    assert run_rag("ask", QUESTION, env=chinese).stderr == (
        "错误：faiss:data/index 处还没有索引：请先运行 `rag ingest 文件夹 --index faiss:data/index`\n"
    )


def test_statuses_of_the_process(run_rag: Rag, index: str, tree: Tree) -> None:
    assert run_rag("search", QUESTION, "--index", index).returncode == 0
    assert run_rag("search", QUESTION).returncode == 1
    assert run_rag("search").returncode == 2
    assert run_rag("ingest", tree({"a.pdf": "x"}), "--embedder", "hashed").returncode == 3
