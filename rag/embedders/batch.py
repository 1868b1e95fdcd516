"""Texts to batches that waste little: cleaned, each once, and with others of about their length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from rag.types import Vectors

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ROUND = 4096  # texts that are tokenised at once: bounds memory, and is enough to sort by length


def clean(text: str) -> str:
    """`text` with lone surrogates, which no tokenizer takes, as U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def embed_each(texts: Sequence[str], dim: int, embed: Callable[[list[str]], Vectors]) -> Vectors:
    """``(n, dim)`` in the order of `texts`, while `embed` sees each different text once, some at a time."""
    rows: dict[str, int] = {}
    places = [rows.setdefault(text, len(rows)) for text in texts]
    vectors = np.empty((len(rows), dim), np.float32)
    different = iter(rows)
    for start in range(0, len(rows), _ROUND):
        part = list(islice(different, _ROUND))
        vectors[start : start + len(part)] = embed(part)
    return vectors if len(rows) == len(texts) else vectors[places]


def batches(lengths: Sequence[int], budget: int, alike: int | None = None) -> Iterator[list[int]]:
    """Indices into `lengths`, by length, with at most `budget` tokens a batch, filling included.

    From `alike` tokens on, only texts of the same length share a batch.
    """
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        apart = alike is not None and lengths[i] >= alike and batch and lengths[i] != lengths[batch[0]]
        if batch and (apart or (len(batch) + 1) * lengths[i] > budget):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def padded(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """``(n, longest) int32`` filled with 0 at the end, and ``(n,) int32`` lengths."""
    lengths = np.array([len(row) for row in rows], np.int32)
    ids = np.zeros((len(rows), int(lengths.max())), np.int32)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    return ids, lengths
