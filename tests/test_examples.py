"""The programs in examples/: each runs, and brings what it is there to show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT, Tree, environment
from contracts.embedder import EmbedderContract
from contracts.store import Open, StoreContract
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from pydantic import Field

from rag import RAG

EXAMPLES = ROOT / "examples"
WARRANTY = "How long is the warranty of the Tern machine?"


def example(name: str) -> ModuleType:
    """The program `name` as a module."""
    spec = spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_program_is_listed_and_short() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for program in EXAMPLES.glob("*.py"):
        assert f"({program.name})" in listed
        assert len(program.read_text(encoding="utf-8").splitlines()) <= 160, program


def test_the_chatbot_is_that_of_the_readme() -> None:
    code = (EXAMPLES / "chatbot.py").read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    for readme in ("README.md", "README.zh.md"):
        assert f"```python\n{code}```" in (ROOT / readme).read_text(encoding="utf-8"), readme


def test_chatbot(index: str, run_program: Callable[..., str]) -> None:
    said = run_program("chatbot", stdin=f"{WARRANTY}\n\n保修期是多久？\n", RAG_INDEX=index, RAG_LLM="none")
    assert "  [1] notes/warranty.txt: " in said
    assert "] notes/保修.md: " in said


def test_search_reviews(tree: Tree) -> None:
    rows = "title,text,stars\nSweets,Far too sweet for children.,2\nTea,A mild tea for the evening.,5\n"
    folder = tree({"reviews.csv": rows})
    first, *_ = example("search_reviews").search(
        str(folder / "reviews.csv"), ["title", "text"], "sweet for children", "hashed"
    )
    assert "row 1: title: Sweets text: Far too sweet for children." in first
    assert "stars" not in first


@pytest.mark.models
def test_sentences() -> None:
    program = example("sentences")
    english, chinese = program.matrix(program.ENGLISH), program.matrix(program.CHINESE)
    assert english[0][1] > 0.4 > max(english[0][2], english[1][2])
    assert chinese[0][1] > max(chinese[0][2:])  # eating apples is nearer to eating fruit than to Apple's telephone


class Scripted(GenericFakeChatModel):
    """Says what it was given to say, keeps what it read, and takes tools."""

    read: list[Any] = Field(default_factory=list)

    def bind_tools(self, tools: Any, **_: Any) -> Scripted:
        assert [tool.name for tool in tools] == ["search_manuals"]
        return self

    def _generate(self, messages: Any, *args: Any, **options: Any) -> Any:
        self.read.extend(messages)
        return super()._generate(messages, *args, **options)


def test_langchain_agent(rag: RAG) -> None:
    call = {"name": "search_manuals", "args": {"query": WARRANTY}, "id": "1", "type": "tool_call"}
    script = [AIMessage(content="", tool_calls=[call]), AIMessage(content="24 months, says notes/warranty.txt.")]
    model = Scripted(messages=iter(script))
    assert example("langchain_agent").ask(rag, model, WARRANTY) == "24 months, says notes/warranty.txt."
    [passages] = [message for message in model.read if isinstance(message, ToolMessage)]
    assert "notes/warranty.txt" in passages.content


class TestOwnEmbedder(EmbedderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls) -> Any:
        return example("own_embedder").TrigramEmbedder()

    def test_it_forgives_spelling_mistakes(self, notes: Path, run_program: Callable[..., str]) -> None:
        assert (
            "notes/warranty.txt" in run_program("own_embedder", notes, "the waranty of the Tren").splitlines()[0]
        )


class TestOwnStore(StoreContract):
    @pytest.fixture
    def url(self) -> str:
        return "memory:"

    @pytest.fixture
    def opened(self) -> Iterator[Open]:
        store = example("own_store").MemoryStore()
        yield lambda: store

    def test_from_a_folder_to_an_answer(self, notes: Path, run_program: Callable[..., str]) -> None:
        assert "24 months" in run_program("own_store", notes, WARRANTY)


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., str]:
    """Runs a program in a process of its own and gives what it printed; it must not fail."""
    import subprocess

    def run(name: str, *arguments: object, stdin: str = "", **settings: str) -> str:
        settings = {"RAG_EMBEDDER": "" if name == "own_embedder" else "hashed", **settings}
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)],
            cwd=tmp_path, env={**environment(), **settings}, input=stdin, capture_output=True, encoding="utf-8",
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
