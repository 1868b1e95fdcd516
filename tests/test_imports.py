"""The layers, read from the imports; the public names; and what waits until it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Lowest first: a room imports from itself and from the rows above it in this table, never from beside or below.
LAYERS = (
    {"rag.types", "rag.errors"},
    {"rag.config", "rag.text"},
    {"rag.weights"},
    {"rag.network"},
    {"rag.stores"},
    {"rag.embedders", "rag.llms"},
    {"rag.retrieval", "ingest"},
    {"rag.grounding"},
    {"rag.answering"},
    {"rag.conversation"},
    {"rag.index"},
    {"rag.api"},
    {"rag.evaluation", "rag.langchain", "rag.space"},
    {"rag.mcp"},
    {"rag.server"},
    {"rag.cli"},
    {"rag.__main__"},
)
MOST_MODULES = 15
"""At the top of one folder: above it, a listing is no longer read."""

HEAVY = {
    "numpy", "faiss", "onnxruntime", "onnx", "torch", "sentence_transformers", "transformers", "huggingface_hub",
    "langchain", "langchain_core", "langchain_openai", "langchain_text_splitters", "openai", "xllamacpp",
    "pydantic", "tiktoken", "tokenizers", "sentencepiece", "pypdf", "docx", "bs4", "lxml", "rich", "sqlite3",
    "prompt_toolkit", "sklearn", "scipy", "PIL", "openTSNE",
    "fastapi", "starlette", "uvicorn", "mcp", "pypdfium2",
}  # fmt: skip
PUBLIC = {
    "rag": ["RAG", "Answer", "Chunk", "Citation", "Hit", "Index", "RagError", "Where"],
    "rag.embedders": ["Embedder", "load_embedder"],
    "rag.stores": ["Store", "Writer", "open_store"],
    "rag.llms": ["LLM", "Piece", "load_llm"],
    "ingest.discover": ["File", "Found", "Problem", "check_path", "discover"],
    "ingest.loaders": ["LoadOptions", "file_type", "load"],
}


def modules(package: str) -> list[str]:
    paths = sorted((ROOT / package).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def source(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def imported(module: str) -> Iterator[tuple[str, bool]]:
    """Each module that `module` imports, and whether it does at import time (not in a function, not for types)."""

    def visit(node: ast.AST, now: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import():
                    yield from ((alias.name, now) for alias in child.names)
                case ast.ImportFrom(module=str(name), level=0):
                    yield from ((full_name(name, alias.name), now) for alias in child.names)
                case ast.ImportFrom():
                    raise AssertionError(f"{module} imports relatively")
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    yield from visit(child, False)
                case ast.If(test=ast.Name("TYPE_CHECKING")):
                    yield from visit(child, False)
                case _:
                    yield from visit(child, now)

    yield from visit(source(module), True)


def full_name(module: str, name: str) -> str:
    """``from rag import models`` is of the module rag.models, ``from rag import RAG`` of rag."""
    inner = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.is_dir() or inner.with_suffix(".py").is_file() else module


def room(module: str) -> str:
    """The room a module lies in: "rag.stores" for rag.stores.faiss.store, "ingest" for ingest.loaders.pdf."""
    return "ingest" if module.split(".", maxsplit=1)[0] == "ingest" else ".".join(module.split(".")[:2])


def layer(module: str) -> int:
    found = [i for i, rooms in enumerate(LAYERS) if room(module) in rooms]
    assert found, f"{module} has no layer: give its room one in LAYERS"
    return found[0]


@pytest.mark.parametrize("module", [name for name in modules("rag") + modules("ingest") if name != "rag"])
def test_imports_go_down_the_layers(module: str) -> None:
    ours = {name for name, _ in imported(module) if name.startswith(("rag.", "ingest"))}
    beside = {name for name in ours if layer(name) >= layer(module) and room(name) != room(module)}
    assert beside == set()


def test_no_circle_of_imports() -> None:
    """Of modules that import one another when they are loaded."""
    below = {name: {n for n, now in imported(name) if now} for name in modules("rag") + modules("ingest")}
    below = {name: {n for n in found if n in below and n != name} for name, found in below.items()}
    while leaves := {name for name, found in below.items() if not found}:
        below = {name: found - leaves for name, found in below.items() if name not in leaves}
    assert below == {}


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    folders = [path for path in (ROOT / "rag").rglob("*") if path.is_dir()]
    assert {f.name for f in folders if len(list(f.glob("*.py"))) > MOST_MODULES} == set()


@pytest.mark.parametrize("module", modules("rag") + modules("ingest"))
def test_what_begins_with_an_underscore_stays_in_its_room(module: str) -> None:
    taken = {
        (node.module, alias.name)
        for node in ast.walk(source(module))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("rag", "ingest"))
        for alias in node.names
        if alias.name.startswith("_") or any(part.startswith("_") for part in node.module.split("."))
    }
    outside = {(home, name) for home, name in taken if room(home) != room(module) and not name.startswith("__")}
    assert outside == set()


ROOMS = [
    name
    for name in modules("rag") + modules("ingest")
    if (ROOT.joinpath(*name.split(".")) / "__init__.py").is_file()
]


@pytest.mark.parametrize("folder", ROOMS)
def test_each_folder_says_what_it_is_for(folder: str) -> None:
    tree = source(folder)
    text = ast.get_docstring(tree) or ""
    assert re.search(r"\bIn: .+ Out: ", text, re.DOTALL), "say what comes in and what goes out: In: … Out: …"
    assert any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body)


def test_hints_name_extras_that_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    named = {
        ast.literal_eval(call.args[2])
        for module in modules("rag") + modules("ingest")
        for call in ast.walk(source(module))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).endswith("MissingExtra")
        and len(call.args) > 2
        and isinstance(call.args[2], ast.Constant)
    }
    assert len(named) > 5
    assert named <= set(extras)


def test_the_nouns_import_nothing_of_ours() -> None:
    for module in ("rag.types", "rag.errors"):
        assert {name for name, _ in imported(module) if name.startswith(("rag", "ingest"))} == set()


@pytest.mark.parametrize("module", modules("rag") + modules("ingest"))
def test_every_public_name_is_there(module: str) -> None:
    names = [
        ast.literal_eval(node.value)
        for node in source(module).body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
    ]
    if not names:
        return
    assert len(names[0]) == len(set(names[0]))
    loaded = import_module(module)
    inside = {
        name.rpartition(".")[2] for name in modules("rag") + modules("ingest") if name.startswith(f"{module}.")
    }
    assert [name for name in names[0] if name not in inside and not hasattr(loaded, name)] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names(module: str) -> None:
    assert set(PUBLIC[module]) <= set(import_module(module).__all__)


def test_a_name_that_is_not_there() -> None:
    import rag

    with pytest.raises(AttributeError, match="module 'rag' has no attribute 'Rag'"):
        rag.Rag  # noqa: B018
    assert rag.RAG.__name__ == "RAG"
    assert rag.RagError.__module__ == "rag.errors"


def loaded_by(code: str) -> set[str]:
    """The packages in memory after running `code` in a fresh process."""
    code = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_help_waits_for_nothing_heavy() -> None:
    help_ = "sys.argv = ['rag', '--help']\ntry:\n    from rag.cli import main; main()\nexcept SystemExit: pass"
    found = loaded_by(help_)
    assert "click" in found
    assert found & HEAVY == set()


def test_the_package_alone_loads_nothing() -> None:
    assert loaded_by("import rag") & (HEAVY | {"click"}) == set()


def test_the_hashed_embedder_and_the_store_need_no_model_engine() -> None:
    code = "from rag import RAG\nRAG.open('faiss:no/where', embedder='hashed', llm='none').close()"
    engines = {"torch", "onnxruntime", "xllamacpp", "openai", "langchain_core", "sentence_transformers", "faiss"}
    assert loaded_by(code) & engines == set()
