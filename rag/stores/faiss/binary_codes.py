"""One bit a dimension: signs of rotated vectors, whose Hamming distance estimates the angle. Pure functions.

After a random rotation a share ``angle / pi`` of two unit vectors' signs differs, in the mean, whatever the
vectors: nothing is learned from the data, so that no code ever has to be made again. Source: Charikar,
Similarity estimation techniques from rounding algorithms (2002). `estimate` keeps the question's numbers and
so errs less: Gao and Long, RaBitQ (2024).
"""

from __future__ import annotations

from functools import cache
from hashlib import shake_256

import numpy as np
import numpy.typing as npt

from rag.types import Vector, Vectors

Codes = npt.NDArray[np.uint8]

_SEED = b"ragstone codes 1"  # another seed would be another format
_ROUNDS = 3


def width(dim: int) -> int:
    """Bytes of one code."""
    return (dim + 7) // 8


def rotated(vectors: Vectors) -> Vectors:
    """``(n, dim)`` rotated by one fixed rotation, which depends only on `dim`.

    A Hadamard matrix needs a power of two. So signs are flipped at random, then the first and the last dimensions
    that form a power of two are mixed, and all that is repeated, so that all dimensions are mixed.
    """
    dim = vectors.shape[1]
    size = 1 << (dim.bit_length() - 1)
    turned = vectors
    for signs in _signs(dim):
        turned = turned * signs
        turned[:, :size] = _mixed(turned[:, :size])
        turned[:, -size:] = _mixed(turned[:, -size:])
    return turned


def _mixed(vectors: Vectors) -> Vectors:
    """``(n, 2^k)`` times a Hadamard matrix, computed as the product of two small ones."""
    n, size = vectors.shape
    left = 1 << (size.bit_length() // 2)
    blocks = vectors.reshape(n, left, size // left)
    return (_hadamard(left) @ (blocks @ _hadamard(size // left))).reshape(n, size)


@cache
def _hadamard(size: int) -> Vectors:
    """``(size, size)``, orthonormal; Sylvester's construction."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.float32(np.sqrt(size))


@cache
def _signs(dim: int) -> Vectors:
    """``(rounds, dim)`` of 1 and -1, the same with every version of NumPy."""
    bits = np.unpackbits(np.frombuffer(shake_256(_SEED).digest(_ROUNDS * width(dim)), np.uint8))
    return 1 - 2 * bits.reshape(_ROUNDS, -1)[:, :dim].astype(np.float32)


def encode(vectors: Vectors) -> Codes:
    """``(n, width)``: which of the rotated dimensions are above zero."""
    return np.packbits(rotated(vectors) > 0, axis=1)


def estimate(query: Vector, codes: Codes) -> npt.NDArray[np.float32]:
    """``(n,)``: how near the vectors of `codes` are to `query`; good for ranking, but not cosines."""
    turned = np.zeros(8 * codes.shape[1], np.float32)
    turned[: len(query)] = rotated(query[None])[0]
    # What each byte of a code can add: 256 possible sums of eight numbers, looked up by the byte.
    sums = turned.reshape(-1, 8) @ _byte_signs()
    near: npt.NDArray[np.float32] = np.take(sums, codes + _offsets(len(sums))).sum(axis=1)
    return near


@cache
def _byte_signs() -> Vectors:
    """``(8, 256)``: the signs of each value of a byte."""
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).T
    return 2 * bits.astype(np.float32) - 1


@cache
def _offsets(count: int) -> npt.NDArray[np.int32]:
    return 256 * np.arange(count, dtype=np.int32)
