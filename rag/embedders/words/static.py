"""Folders of model2vec: a vector for each token of a tokenizer, without any network over them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np

from rag.embedders.words.vectors import WordVectors
from rag.errors import ModelError
from rag.types import Vectors
from rag.weights.transfer import sha256_of

__all__ = ["load"]


def load(name: str, folder: Path) -> WordVectors:
    """The tokens and vectors of a folder. Raises ModelError.

    Source: https://github.com/MinishLab/model2vec (model.py): a text is the plain mean of its tokens' vectors.
    """
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    weights, tokens = folder / "model.safetensors", folder / "tokenizer.json"
    if not weights.is_file() or not tokens.is_file():
        raise ModelError(
            f"the folder {folder} holds no model2vec model: model.safetensors and tokenizer.json are needed"
        )
    try:
        matrix = _matrix(load_file(weights))
        tokenizer = Tokenizer.from_file(str(tokens))
    except Exception as exc:
        # tokenizers and safetensors raise errors of no common kind
        raise ModelError(f"{folder} is no model2vec model that can be read: {type(exc).__name__}: {exc}") from exc
    tokenizer.no_truncation()
    words = [(tokenizer.id_to_token(i) or "").removeprefix("▁") for i in range(len(matrix))]
    identity = sha256(f"{sha256_of(weights)} {sha256_of(tokens)}".encode()).hexdigest()

    def rows_of(text: str) -> list[int]:
        return [i for i in tokenizer.encode(text, add_special_tokens=False).ids if i < len(words)]

    return WordVectors(name, words, matrix, identity, rows_of=rows_of)


def _matrix(arrays: dict[str, Vectors]) -> Vectors:
    """A row for each token; newer models share rows between tokens, and weigh them."""
    matrix = np.asarray(arrays["embeddings"], np.float32)
    if "mapping" in arrays:
        matrix = matrix[arrays["mapping"]]
    if "weights" in arrays:
        matrix = matrix * np.asarray(arrays["weights"], np.float32)[:, None]
    return matrix
