"""How far the activations of all-MiniLM-L6-v2 reach: makes `rag/embedders/minilm-peaks.npy`.

    python -m benchmarks.peaks FOLDER…

reads some 400 pieces of the Markdown files in the folders, and some odd texts, in fp32 with torch. The file in the
repository was made from the Chinese and the English documentation of Vue; scifact, on which quality is measured,
had no part in it. A new file makes new vectors, and the identity of the model says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import model_folder
from rag.embedders.builtin import minilm

PIECES = 400
CHARACTERS = 700
ODD = ["", "hello", "a " * 250, "1 " * 250, "." * 250, "中" * 250, "\U0001f600 " * 200, "http://a.b/c?d=e " * 30]


def pieces(folders: list[Path]) -> list[str]:
    """Some `PIECES` pieces of the files, from all of them alike."""
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for f in folders for path in sorted(f.rglob("*.md"))
    ]
    cut = [text[i : i + CHARACTERS] for text in texts for i in range(0, len(text), CHARACTERS)]
    return cut[:: max(1, len(cut) // PIECES)]


def peaks(texts: list[str]) -> np.ndarray:
    """``(6, 2688) float16``: the largest magnitude of each channel before each product, rounded up."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = model_folder()
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    found: list[list[np.ndarray]] = []
    for layer in model.encoder.layer:
        products = (layer.attention.self.query, layer.attention.output.dense, layer.intermediate.dense)
        found.append([_watched(product) for product in (*products, layer.output.dense)])
    with torch.no_grad():
        for text in texts:
            model(**tokenizer(text, return_tensors="pt", truncation=True, max_length=minilm.MAX_TOKENS))
    exact = np.array([np.concatenate(layer) for layer in found])
    rounded = exact.astype(np.float16)
    return np.where(rounded < exact, np.nextafter(rounded, np.float16(np.inf)), rounded)


def _watched(product: Any) -> np.ndarray:
    """The largest magnitudes of what goes into `product`, kept up to date with each run."""
    seen = np.zeros(product.in_features, np.float32)

    def watch(_: Any, inputs: tuple[Any, ...]) -> None:
        np.maximum(seen, inputs[0].abs().flatten(0, -2).amax(0).numpy(), out=seen)

    product.register_forward_pre_hook(watch)
    return seen


def main() -> None:
    found = peaks([*pieces([Path(name) for name in sys.argv[1:]]), *ODD])
    np.save(Path(minilm.__file__).parent / "minilm-peaks.npy", found)
    print(f"{found.shape[0]} layers, {found.shape[1]:,} channels, the largest {found.max():.1f}")


if __name__ == "__main__":
    main()
