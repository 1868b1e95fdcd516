"""The files of multilingual-e5-small: weights with 4 bits each, and the tokenizer.

`e5-small-q4.bin`, little-endian: a header (8 bytes that say what it is, seven sizes, a float, and the width of a
block), the vocabulary (five numbers, the bytes of all pieces, where each begins, scores, the pieces), a map of
characters, and a directory of arrays: name, kind, count, offset and bytes. An array is float32, or blocks of 32
weights: a float16 scale, then 16 bytes whose low halves are the first 16 weights and whose high halves the rest,
each 8 too large.
"""

from __future__ import annotations

import json
import struct
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag.embedders.builtin.runtime import Array
from rag.errors import ModelError

WEIGHTS, TOKENIZER = "e5-small-q4.bin", "tokenizer.json"

_MAGIC = b"E5S1\x01\x00\x00\x00"
_BLOCK, _BLOCK_BYTES, _ZERO = 32, 18, 8
_DIM, _INNER, _LAYERS = 384, 1536, 12
# As the file calls an array, as Hugging Face's BertModel calls it, and its shape.
_TOP = {
    "emb.pos": ("embeddings.position_embeddings.weight", (512, _DIM)),
    "emb.type": ("embeddings.token_type_embeddings.weight", (2, _DIM)),
    "emb.ln.w": ("embeddings.LayerNorm.weight", (_DIM,)),
    "emb.ln.b": ("embeddings.LayerNorm.bias", (_DIM,)),
}
_PRODUCTS = {
    "q": ("attention.self.query", (_DIM, _DIM)),
    "k": ("attention.self.key", (_DIM, _DIM)),
    "v": ("attention.self.value", (_DIM, _DIM)),
    "ao": ("attention.output.dense", (_DIM, _DIM)),
    "fi": ("intermediate.dense", (_INNER, _DIM)),
    "fo": ("output.dense", (_DIM, _INNER)),
    "aln": ("attention.output.LayerNorm", (_DIM,)),
    "oln": ("output.LayerNorm", (_DIM,)),
}


@dataclass(frozen=True, slots=True)
class WordTable:
    """The embeddings of all tokens, mapped from the file: ``(tokens, 12 blocks, 18) uint8``."""

    blocks: Array

    @classmethod
    def map(cls, folder: Path) -> WordTable:
        """The table in the file of `folder`. Raises ModelError for another file."""
        offset, size = _directory(folder)["emb.word"]
        return cls(_map(folder)[offset : offset + size].reshape(-1, _DIM // _BLOCK, _BLOCK_BYTES))

    def rows(self, ids: Array) -> Array:
        """The embeddings of `ids` ``(batch, tokens)``: ``(batch, tokens, 384) float32``."""
        return _unpacked(self.blocks[ids]).reshape(*ids.shape, _DIM)


def read_arrays(folder: Path) -> dict[str, Array]:
    """Every array of the weights in `folder` but the table of words, by its name in BertModel, as float32."""
    held, data = _directory(folder), _map(folder)
    return {theirs: _array(data, *held[name], shape) for name, theirs, shape in _wanted()}


def _wanted() -> Iterator[tuple[str, str, tuple[int, ...]]]:
    for name, (theirs, shape) in _TOP.items():
        yield name, theirs, shape
    for layer in range(_LAYERS):
        for name, (theirs, shape) in _PRODUCTS.items():
            yield f"l{layer}.{name}.w", f"encoder.layer.{layer}.{theirs}.weight", shape
            yield f"l{layer}.{name}.b", f"encoder.layer.{layer}.{theirs}.bias", shape[:1]


def _map(folder: Path) -> Array:
    return np.memmap(folder / WEIGHTS, dtype=np.uint8, mode="r")


def _array(data: Array, offset: int, size: int, shape: tuple[int, ...]) -> Array:
    raw = data[offset : offset + size]
    if size == 4 * int(np.prod(shape)):
        return raw.view("<f4").astype(np.float32).reshape(shape)
    return _unpacked(raw.reshape(-1, _BLOCK_BYTES)).reshape(shape)


def _unpacked(blocks: Array) -> Array:
    """``(…, 18) uint8`` blocks as ``(…, 32) float32`` weights."""
    scales = np.ascontiguousarray(blocks[..., :2]).view("<f2").astype(np.float32)
    halves = blocks[..., 2:]
    whole = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32)
    whole -= _ZERO
    whole *= scales
    return whole


def _directory(folder: Path) -> dict[str, tuple[int, int]]:
    """Offset and bytes of each array. Raises ModelError for a file that is laid out otherwise."""
    with (folder / WEIGHTS).open("rb") as file:
        if file.read(8) != _MAGIC:
            raise ModelError(f"{folder / WEIGHTS} is not what it should be: run `rag models verify`")

        def read(layout: str) -> tuple[Any, ...]:
            return struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))

        read("7ifi")
        pieces, *_ = read("5i")
        (text,) = read("Q")
        file.seek(4 * (pieces + 1) + 4 * pieces + text, 1)
        _, characters = read("iI")
        file.seek(characters, 1)
        (count,) = read("i")
        found = {}
        for _ in range(count):
            (length,) = read("H")
            name = file.read(length).decode()
            _, _, offset, size = read("BIQQ")
            found[name] = (offset, size)
    return found


_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # SentencePiece's types of pieces


def write_pieces(folder: Path, path: Path) -> None:
    """Write the tokenizer of `folder` as a SentencePiece model, which loads and reads faster, with the same ids.

    Source: google/sentencepiece, src/sentencepiece_model.proto.
    """
    held = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    special = {each["id"] for each in held["added_tokens"]}
    unknown = held["model"]["unk_id"]
    parts = []
    for i, (piece, score) in enumerate(held["model"]["vocab"]):
        kind = _UNKNOWN if i == unknown else _CONTROL if i in special else _NORMAL
        entry = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + _number(3, kind)
        parts.append(_field(1, entry))
    # A unigram model, and the ids of its markers: unknown, beginning, end, filling.
    ids = zip((40, 41, 42, 43), (unknown, 0, 2, 1), strict=True)
    parts.append(_field(2, b"".join([_number(3, 1), *(_number(n, i) for n, i in ids)])))
    characters = b64decode(held["normalizer"]["normalizers"][0]["precompiled_charsmap"])
    spaces = b"".join(_number(n, 1) for n in (3, 4, 5))  # one in front, none twice, part of a piece
    parts.append(_field(3, _field(1, b"nmt_nfkc") + _field(2, characters) + spaces))
    path.write_bytes(b"".join(parts))


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)
