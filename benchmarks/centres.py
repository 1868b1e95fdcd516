"""What all vectors of multilingual-e5-small share: makes `rag/embedders/builtin/e5-centres.npy`.

    python -m benchmarks.centres FOLDER…

The means over passages in Latin script and in others, of each folder's and of `data/docs`, and over the questions
of `data/questions.toml` in either script. The file in the repository was made from the English and the Chinese
documentation of Vue and from some reviews of food; what quality is measured on had no part in it.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np

from rag.embedders.builtin import e5
from rag.text import script

CHARACTERS, MOST = 600, 80


def passages(folder: Path) -> list[str]:
    """Some pieces of the text files in `folder`, from all of them alike."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".md", ".txt", ".html", ".csv"))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    cut = [text[i : i + CHARACTERS] for text in texts for i in range(0, len(text), CHARACTERS)]
    return cut[:: max(1, len(cut) // MOST)]


def main() -> None:
    e5.CENTRE_SHARE = 0.0
    embedder = e5.E5Embedder.load()
    groups = [passages(Path(name)) for name in [*sys.argv[1:], "data/docs"]]
    asked = tomllib.loads(Path("data/questions.toml").read_text(encoding="utf-8"))["question"]
    questions = [each["question"] for each in asked]
    rows = []
    for written in ("latin", "other"):
        own = [[text for text in group if script(text) == written] for group in groups]
        rows.append(np.mean([embedder.embed_documents(texts).mean(axis=0) for texts in own if texts], axis=0))
    for written in ("latin", "other"):
        rows.append(embedder.embed_queries([q for q in questions if script(q) == written]).mean(axis=0))
    np.save(Path(e5.__file__).with_name("e5-centres.npy"), np.array(rows, np.float32))


if __name__ == "__main__":
    main()
