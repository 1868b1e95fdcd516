"""multilingual-e5-small without torch: some 100 languages and across them. See `bert` for its graph.

Its weights come with 4 bits for a word's embedding and for the matrices (`weights`). A token's embedding is read
from that file when it is needed: the table of 250,000 words is no part of the graph.

The model's own vectors all lie close to one direction, another for each language, so that no two texts have a
cosine below .7 and a question is always nearest to texts of its own language. `e5-centres.npy` holds these
directions, ``(4, 384) float32``: the means over passages in Latin script and in others, and over questions in
either, as `benchmarks/centres.py` has seen them. `CENTRE_SHARE` of them is taken off: texts that have nothing to
do with each other then have cosines near .2, whatever they are written in.
Source: Wang et al., Multilingual E5 Text Embeddings (2024), and the model's card ("query: ", "passage: ", the mean
over tokens); Mu and Viswanath, All-but-the-Top (2018), for taking off what all vectors share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from rag.embedders._tuned import CENTRE_SHARE, E5_MAX_TOKENS, FEW
from rag.embedders.batches import Shape, embed_each, padded
from rag.embedders.builtin import bert
from rag.embedders.builtin.e5_weights import WordTable, read_arrays, write_pieces
from rag.embedders.builtin.graph import INT8
from rag.embedders.builtin.runtime import Array, Run, both, fast_session, session
from rag.text import script
from rag.text.sanitise import well_formed
from rag.types import Vectors
from rag.weights.cache import model_path, weights_hash
from rag.weights.derived import derived

NAME = "multilingual-e5-small-q4"
DIM = 384
_VERSION = 1  # of the graph and of the tokens
_PEAKS = Path(__file__).parent / "e5-peaks.npy"
_CENTRES = Path(__file__).parent / "e5-centres.npy"
_HEADS = 12
_MAX_CHARACTERS = 32 * E5_MAX_TOKENS  # far more than the window takes; the rest need not be tokenised
_DOCUMENT, _QUERY = "passage: ", "query: "


class E5Embedder:
    """Chinese, English and a hundred languages by one model. It is loaded at first use."""

    id = "e5"
    dim = DIM
    max_tokens = E5_MAX_TOKENS
    cross_script: Mapping[str, float] = {"latin": 1.0, "other": 0.8}
    """Of 1, .8, .65 and less, what loses next to nothing within a language, with both languages in one index."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loaded: tuple[Any, bert.Encoder] | None = None

    @classmethod
    def load(cls) -> E5Embedder:
        """The model fetched if it is missing. Raises ModelError where it cannot be had."""
        model_path(NAME)
        return cls()

    @property
    def weights(self) -> str:
        return identity()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, the two markers and "passage: " included, however long it is."""
        return [len(ids) for ids in self._tokens([_DOCUMENT + well_formed(text) for text in texts])]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return self._embed_all(_DOCUMENT, texts)

    def embed_for_index(self, texts: Sequence[str]) -> Vectors:
        return self._embed_all(_DOCUMENT, texts, steady=True)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed_all(_QUERY, texts)

    def _embed_all(self, kind: str, texts: Sequence[str], steady: bool = False) -> Vectors:
        read = [well_formed(text[:_MAX_CHARACTERS]) for text in texts]
        vectors = embed_each([kind + text for text in read], DIM, partial(self._embed, steady=steady))
        latin = np.array([script(text) == "latin" for text in read], bool)
        return centred(vectors, latin, asked=kind == _QUERY)

    def _embed(self, texts: list[str], steady: bool) -> Vectors:
        return self._model()[1].embed([cut(ids) for ids in self._tokens(texts)], steady)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        encode = self._model()[0].encode
        if len(texts) < FEW:
            return [encode(text, out_type=int, add_bos=True, add_eos=True) for text in texts]
        ids: list[list[int]] = encode(texts, out_type=int, add_bos=True, add_eos=True)
        return ids

    def _model(self) -> tuple[Any, bert.Encoder]:
        """Tokenizer and encoder; the first to ask loads them, side by side."""
        with self._lock:
            if self._loaded is None:
                self._loaded = both(tokenizer, _encoder)
            return self._loaded


def _graph_key() -> str:
    peaks = sha256(_PEAKS.read_bytes()).hexdigest()
    return sha256(f"{weights_hash(NAME)} graph {_VERSION} int8 {INT8} peaks {peaks}".encode()).hexdigest()[:16]


def identity() -> str:
    """sha256 of what decides the vectors: weights, graph and arithmetic."""
    centres = sha256(_CENTRES.read_bytes()).hexdigest()
    return sha256(f"{_graph_key()} centres {centres} share {CENTRE_SHARE}".encode()).hexdigest()


@cache
def _centres() -> Array:
    return np.asarray(np.load(_CENTRES, allow_pickle=False), np.float32)


def centred(vectors: Vectors, latin: Array, asked: bool) -> Vectors:
    """`vectors` of unit length without what all of their kind share, of unit length again; `latin`: which are."""
    ours = _centres()[2:] if asked else _centres()[:2]
    away = vectors - CENTRE_SHARE * np.where(latin[:, None], ours[0], ours[1])
    unit: Vectors = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return unit


def cut(ids: list[int]) -> list[int]:
    """`ids` within the window, the closing marker at the end."""
    return ids if len(ids) <= E5_MAX_TOKENS else [*ids[: E5_MAX_TOKENS - 1], ids[-1]]


def tokenizer() -> Any:
    """The model's tokenizer, by SentencePiece, cutting nothing."""
    from sentencepiece import SentencePieceProcessor

    folder = model_path(NAME)
    pieces = derived(f"{NAME}-{weights_hash(NAME)[:16]}.pieces", lambda path: write_pieces(folder, path))
    return SentencePieceProcessor(model_proto=pieces.read_bytes())


def _encoder() -> bert.Encoder:
    table = WordTable.map(model_path(NAME))

    def inputs(tokens: list[list[int]], shape: Shape | None) -> dict[str, Array]:
        ids, lengths = padded(tokens, shape)
        return {"words": table.rows(ids), "lengths": lengths}

    return bert.Encoder(DIM, inputs, session(_graph(fast=False)), _run_many)


def _graph(fast: bool) -> Path:
    """The file of the graph, for one engine or the other."""
    engine = "-openvino" if fast else ""
    return derived(f"{NAME}-{_graph_key()}{engine}.onnx", lambda path: write(path, fast))


@cache
def _run_many() -> Run:
    return fast_session(_graph(fast=True))


def write(path: Path, fast: bool = False) -> None:
    """Write the graph: ``words (batch, tokens, 384) float32, lengths (batch) int32 → (batch, 384) float32``."""
    peaks = np.load(_PEAKS, allow_pickle=False).astype(np.float32)
    weights = bert.Weights(read_arrays(model_path(NAME)), peaks, _HEADS, E5_MAX_TOKENS)
    bert.write(path, weights, {"words": (np.float32, ["batch", "tokens", DIM])}, fast)
