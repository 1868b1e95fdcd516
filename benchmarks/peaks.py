"""How far the activations of a built-in model reach: makes its `…-peaks.npy` in `rag/embedders/builtin/`.

    python -m benchmarks.peaks minilm|e5 FOLDER…

reads some PIECES pieces of the Markdown files in the folders, and some odd texts, in fp32 with torch. The files in
the repository were made from the Chinese and the English documentation of Vue; what quality is measured on had no
part in them. A new file makes new vectors, and the identity of the model says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import model_folder
from rag.embedders.builtin import e5, e5_weights, minilm
from rag.weights.cache import model_path

PIECES = 400  # 60 for e5
CHARACTERS = 700
ODD = ["", "hello", "a " * 250, "1 " * 250, "." * 250, "中" * 250, "\U0001f600 " * 200, "http://a.b/c?d=e " * 30]


def pieces(folders: list[Path]) -> list[str]:
    """Some `PIECES` pieces of the files, from all of them alike."""
    texts = [
        path.read_text(encoding="utf-8", errors="replace") for f in folders for path in sorted(f.rglob("*.md"))
    ]
    cut = [text[i : i + CHARACTERS] for text in texts for i in range(0, len(text), CHARACTERS)]
    return cut[:: max(1, len(cut) // PIECES)]


def peaks(texts: list[str], model: Any, tokens: Callable[[str], list[int]]) -> np.ndarray:
    """``(layers, 2688) float16``: the largest magnitude of each channel before each product, rounded up."""
    import torch

    found: list[list[np.ndarray]] = []
    for layer in model.encoder.layer:
        products = (layer.attention.self.query, layer.attention.output.dense, layer.intermediate.dense)
        found.append([_watched(product) for product in (*products, layer.output.dense)])
    with torch.no_grad():
        for text in texts:
            model(torch.tensor([tokens(text)]))
    exact = np.array([np.concatenate(layer) for layer in found])
    rounded = exact.astype(np.float16)
    return np.where(rounded < exact, np.nextafter(rounded, np.float16(np.inf)), rounded)


def minilm_in_fp32() -> tuple[Any, Callable[[str], list[int]]]:
    """The model in torch, and what cuts a text into tokens for it."""
    from transformers import AutoModel

    folder = model_folder()
    tokenizer = minilm.tokenizer(folder)
    return AutoModel.from_pretrained(folder).eval(), lambda text: minilm.cut(tokenizer.encode(text).ids)


def e5_in_fp32() -> tuple[Any, Callable[[str], list[int]]]:
    """The model in torch, its weights as the 4 bits give them, and what cuts a passage into tokens for it."""
    import torch
    from transformers import BertConfig, BertModel

    folder = model_path(e5.NAME)
    arrays = e5_weights.read_arrays(folder)
    table = e5_weights.WordTable.map(folder)
    words = table.rows(np.arange(len(table.blocks))[None])[0]
    config = BertConfig(vocab_size=len(words), hidden_size=e5.DIM, num_hidden_layers=12, intermediate_size=1536)
    model = BertModel(config, add_pooling_layer=False).eval()
    arrays["embeddings.word_embeddings.weight"] = words
    model.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    tokenizer = e5.tokenizer()
    return model, lambda text: e5.cut(
        tokenizer.encode(f"passage: {text}", out_type=int, add_bos=True, add_eos=True)
    )


def _watched(product: Any) -> np.ndarray:
    """The largest magnitudes of what goes into `product`, kept up to date with each run."""
    seen = np.zeros(product.in_features, np.float32)

    def watch(_: Any, inputs: tuple[Any, ...]) -> None:
        np.maximum(seen, inputs[0].abs().flatten(0, -2).amax(0).numpy(), out=seen)

    product.register_forward_pre_hook(watch)
    return seen


def main() -> None:
    name, *folders = sys.argv[1:]
    found = peaks([*pieces([Path(each) for each in folders]), *ODD], *MODELS[name]())
    np.save(Path(minilm.__file__).parent / f"{name}-peaks.npy", found)
    print(f"{found.shape[0]} layers, {found.shape[1]:,} channels, the largest {found.max():.1f}")


MODELS = {"minilm": minilm_in_fp32, "e5": e5_in_fp32}

if __name__ == "__main__":
    main()
