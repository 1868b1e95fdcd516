"""The metadata of a GGUF file, read from its header without the weights."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rag.errors import ModelError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# Kinds of token that llama.cpp finds inside text: unknown, control, user-defined.
_FOUND_IN_TEXT = {2, 3, 4}


@dataclass(frozen=True, slots=True)
class _Strings:
    """An array of strings in the file: `places` are (offset, bytes) pairs."""

    places: list[tuple[int, int]]


_Value = str | int | float | bool | tuple[int | float | bool, ...] | _Strings


@dataclass(frozen=True, slots=True)
class Header:
    """`markers` are the texts that the tokenizer turns into one special token, with its id."""

    name: str
    context_tokens: int
    template: str
    markers: Mapping[str, int]


def read_header(path: Path) -> Header:
    """The header of the GGUF file at `path`. Raises ModelError if it is not a GGUF file.

    Source: the GGUF specification, versions 2 and 3 (little-endian).
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(path, data)
    except OSError as exc:
        raise ModelError(f"the model file {path} cannot be read: {exc.strerror or exc}") from exc
    except (struct.error, ValueError, KeyError, IndexError, TypeError) as exc:
        raise ModelError(f"{path} is not a GGUF model file, or it is cut short: fetch it again") from exc


def _header(path: Path, data: mmap.mmap) -> Header:
    magic, version, _tensors, count = struct.unpack_from("<4sIQQ", data, 0)
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError("magic")
    values: dict[str, _Value] = {}
    position = 24
    for _ in range(count):
        key, position = _string(data, position)
        (kind,) = struct.unpack_from("<I", data, position)
        values[key], position = _value(data, position + 4, kind)
    return Header(
        name=path.stem,
        context_tokens=int(str(values.get(f"{values['general.architecture']}.context_length", 0))),
        template=str(values.get("tokenizer.chat_template", "")),
        markers=_markers(data, values),
    )


def _markers(data: mmap.mmap, values: Mapping[str, _Value]) -> dict[str, int]:
    tokens, kinds = values["tokenizer.ggml.tokens"], values.get("tokenizer.ggml.token_type", ())
    if not isinstance(tokens, _Strings) or not isinstance(kinds, tuple):
        raise TypeError("tokens")
    found = [i for i, kind in enumerate(kinds) if kind in _FOUND_IN_TEXT]
    texts = {i: _text(data, *tokens.places[i]) for i in found}
    return {text: i for i, text in texts.items() if text}


def _value(data: mmap.mmap, position: int, kind: int) -> tuple[_Value, int]:
    if kind == _STRING:
        return _string(data, position)
    if kind != _ARRAY:
        form = f"<{_SCALARS[kind]}"
        return struct.unpack_from(form, data, position)[0], position + struct.calcsize(form)
    of, length = struct.unpack_from("<IQ", data, position)
    if of == _STRING:
        return _strings(data, position + 12, length)
    form = f"<{length}{_SCALARS[of]}"
    return struct.unpack_from(form, data, position + 12), position + 12 + struct.calcsize(form)


def _strings(data: mmap.mmap, position: int, count: int) -> tuple[_Strings, int]:
    """Skip over `count` strings: a vocabulary has 150,000, and only some twenty are needed."""
    length_at, places = struct.Struct("<Q").unpack_from, []
    for _ in range(count):
        (length,) = length_at(data, position)
        places.append((position + 8, length))
        position += 8 + length
    return _Strings(places), position


def _string(data: mmap.mmap, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, position)
    return _text(data, position + 8, length), position + 8 + length


def _text(data: mmap.mmap, position: int, length: int) -> str:
    if position + length > len(data):
        raise ValueError("cut short")
    return data[position : position + length].decode("utf-8", "replace")
