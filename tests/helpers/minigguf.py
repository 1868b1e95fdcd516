"""all-MiniLM-L6-v2 written as a GGUF file, so that llama.cpp serves a real embedding model in the tests."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

_U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9
_ALIGN = 32
_OUTER = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm": "token_embd_norm",
}
_INNER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}


def write_minilm(folder: Path, to: Path) -> Path:
    """The GGUF file `to` with the weights and vocabulary of the SentenceTransformers folder, in float32."""
    tensors = load_file(folder / "model.safetensors")
    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    named = {name: tensors[source] for source, name in _names().items()}
    to.write_bytes(_file(_head(words), named))
    return to


def _names() -> dict[str, str]:
    names = {source: name for source, name in _OUTER.items() if source.endswith("weight")}
    pairs = [(_k, _v) for _k, _v in _OUTER.items() if not _k.endswith("weight")]
    pairs += [(f"encoder.layer.{n}.{k}", f"blk.{n}.{v}") for n in range(6) for k, v in _INNER.items()]
    return names | {f"{k}.{part}": f"{v}.{part}" for k, v in pairs for part in ("weight", "bias")}


def _head(words: list[str]) -> dict[str, tuple[int, Any]]:
    """llama.cpp marks where a word begins, WordPiece where one goes on."""
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    pieces = [w if w in special else w[2:] if w.startswith("##") else f"\u2581{w}" for w in words]
    return {
        "general.architecture": (_STRING, "bert"),
        "general.name": (_STRING, "all-MiniLM-L6-v2"),
        "general.file_type": (_U32, 0),
        "bert.block_count": (_U32, 6),
        "bert.context_length": (_U32, 512),
        "bert.embedding_length": (_U32, 384),
        "bert.feed_forward_length": (_U32, 1536),
        "bert.attention.head_count": (_U32, 12),
        "bert.attention.layer_norm_epsilon": (_F32, 1e-12),
        "bert.attention.causal": (_BOOL, False),
        "bert.pooling_type": (_U32, 1),
        "tokenizer.ggml.model": (_STRING, "bert"),
        "tokenizer.ggml.pre": (_STRING, "default"),
        "tokenizer.ggml.token_type_count": (_U32, 2),
        "tokenizer.ggml.tokens": (_ARRAY, (_STRING, pieces)),
        "tokenizer.ggml.token_type": (_ARRAY, (_I32, [3 if w in special else 1 for w in words])),
        "tokenizer.ggml.cls_token_id": (_U32, words.index("[CLS]")),
        "tokenizer.ggml.seperator_token_id": (_U32, words.index("[SEP]")),
        "tokenizer.ggml.unknown_token_id": (_U32, words.index("[UNK]")),
        "tokenizer.ggml.padding_token_id": (_U32, words.index("[PAD]")),
        "tokenizer.ggml.mask_token_id": (_U32, words.index("[MASK]")),
    }


def _file(head: dict[str, tuple[int, Any]], tensors: dict[str, np.ndarray]) -> bytes:
    values = b"".join(_string(key) + struct.pack("<I", kind) + _value(kind, v) for key, (kind, v) in head.items())
    infos, data = b"", bytearray()
    for name, tensor in tensors.items():
        sizes = tensor.shape[::-1]
        infos += _string(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, len(data))
        data += np.ascontiguousarray(tensor, np.float32).tobytes()
        data += bytes(-len(data) % _ALIGN)
    front = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(head)) + values + infos
    return front + bytes(-len(front) % _ALIGN) + bytes(data)


def _string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _value(kind: int, value: Any) -> bytes:
    if kind == _STRING:
        return _string(value)
    if kind == _ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return struct.pack({_U32: "<I", _I32: "<i", _F32: "<f", _BOOL: "<?"}[kind], value)
