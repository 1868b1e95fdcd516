"""Texts to batches that waste little: cleaned, each once, and with others of about their length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from rag.types import Vectors

Shape = tuple[int, int]
"""Rows and tokens of a batch."""

_ROUND = 4096  # texts that are tokenised at once: bounds memory, and is enough to sort by length


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


def fair_budget(lengths: Sequence[int], most: int, processors: int) -> int:
    """Tokens a batch, `most` at best, at which a few texts are enough for a batch on each of `processors`."""
    return min(most, max(-(-sum(lengths) // processors), 1))


def even_batches(lengths: Sequence[int], budget: int, step: int) -> list[tuple[list[int], Shape]]:
    """Indices into `lengths`, by length, with the shape ``(rows, tokens)`` to which each batch is filled up.

    Tokens are a multiple of `step`, and rows follow from them: there are few shapes, however many texts.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    found = []
    while order:
        tokens = max(1, -(-lengths[order[0]] // step)) * step
        rows = max(1, budget // tokens)
        found.append((order[:rows], (rows, tokens)))
        order = order[rows:]
    return found[::-1]


def padded(rows: Sequence[Sequence[int]], shape: Shape | None = None) -> tuple[np.ndarray, np.ndarray]:
    """``(n, longest) int32`` filled with 0 at the end, and ``(n,) int32`` lengths; or as many as `shape` says.

    What fills a batch up are texts of one token.
    """
    shape = shape or (len(rows), max(map(len, rows)))
    lengths = np.ones(shape[0], np.int32)
    ids = np.zeros(shape, np.int32)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        lengths[i] = len(row)
    return ids, lengths
