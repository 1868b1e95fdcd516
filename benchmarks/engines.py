"""The engines that are compared, their commands, and an environment for each."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
K = "10"


@dataclass(frozen=True, slots=True)
class Engine:
    """One line of the tables. `module` is the script under `peers`, `kind` its first argument where it has one.

    `keeps`: a second ingest goes into the same index; without it the user's script makes a new one.
    `refresh` marks lines that are there for their second run alone.
    """

    title: str
    module: str
    kind: str = ""
    keeps: bool = False
    refresh: bool = False

    @property
    def own(self) -> bool:
        return self.module == "ragstone"


ENGINES = {
    "ragstone": Engine("ragstone, same weights (hybrid)", "ragstone", "minilm", keeps=True),
    "ragstone-default": Engine("ragstone, default (hybrid, two models)", "ragstone", "bilingual", keeps=True),
    "floor": Engine("sentence-transformers + faiss (dense)", "floor"),
    "langchain": Engine("LangChain + FAISS (dense)", "langchain", "default"),
    "llamaindex": Engine("LlamaIndex + faiss (dense)", "llamaindex", "faiss"),
    "txtai": Engine("txtai (hybrid)", "txtai"),
    "haystack": Engine("Haystack (dense)", "haystack"),
    "chroma": Engine("Chroma (dense)", "chroma", keeps=True),
    "langchain-incremental": Engine(
        "LangChain, record manager", "langchain", "incremental", keeps=True, refresh=True
    ),
    "llamaindex-incremental": Engine(
        "LlamaIndex, IngestionPipeline", "llamaindex", "incremental", keeps=True, refresh=True
    ),
    "llamaindex-own": Engine("LlamaIndex, its own store (dense)", "llamaindex", "own"),
}
DEFAULT = [name for name in ENGINES if name != "llamaindex-own"]
QUICK = ["ragstone", "ragstone-default", "floor", "langchain"]


def environment(model: Path) -> dict[str, str]:
    """What every process is started with: nobody asks the network, all have the same weights."""
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False"}
    quiet = {"TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "true", "PYTHONWARNINGS": "ignore"}
    return {**os.environ, **offline, **quiet, "BENCH_MODEL": str(model), "PYTHONPATH": str(ROOT)}


def model_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 in the product's cache, fetched if it is missing."""
    from rag.weights.cache import model_path

    return model_path("all-MiniLM-L6-v2")


def python(engine: Engine, venvs: Path) -> str:
    """The interpreter of the engine's environment, which is made if it is missing."""
    if engine.own:
        return sys.executable
    home = venvs / engine.module
    found = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    done, wanted = home / "requirements.txt", HERE / "requirements" / f"{engine.module}.txt"
    if not done.exists() or done.read_text() != wanted.read_text():
        print(f"making the environment {home} ...", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(found), "-m", "pip", "install", "--quiet"]
        # torch alone first: what is installed after it takes it as it is.
        subprocess.run([*pip, wanted.read_text().splitlines()[0]], check=True)
        subprocess.run([*pip, "-r", str(wanted)], check=True)
        done.write_text(wanted.read_text())
    return str(found)


def command(engine: Engine, interpreter: str, *arguments: str) -> list[str]:
    """`ingest FOLDER INDEX`, `build FOLDER INDEX`, `cold INDEX QUESTION` or `warm …` of `engine`."""
    if engine.own and arguments[0] in {"ingest", "cold"}:
        rag = [interpreter, "-c", "from rag.cli import main; main()"]
        if arguments[0] == "ingest":
            _, folder, index = arguments
            return [*rag, "ingest", folder, "--index", f"faiss:{index}", "--embedder", engine.kind, "--json"]
        _, index, question = arguments
        return [*rag, "search", "--index", f"faiss:{index}", "--top-k", K, "--json", "--", question]
    kind = [engine.kind] if engine.kind else []
    return [interpreter, "-m", f"benchmarks.peers.{engine.module}", *kind, *arguments]
