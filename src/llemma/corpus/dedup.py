"""Near-duplicates by MinHash, and what every way to find near-duplicates has to say of itself (`Method`).

A document is the set of its 5-word shingles. MinHash (Broder 1997) gives it a signature of 112 numbers; the share of
equal numbers of two signatures estimates the Jaccard similarity of the sets. Signatures are cut into 14 bands of 8
rows, and only documents that agree in a whole band are compared: a pair of similarity J meets with probability
1 - (1 - J^8)^14, which is 0.92 at J = 0.8 and 0.9996 at J = 0.9. Each candidate is then verified on the sets, so
nothing is merged below the threshold. `copies` does the comparing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from llemma.corpus.words import Hashes, grams, mixed

SHINGLE = 5
BANDS = 14
ROWS = 8
SIZE = BANDS * ROWS
_BLOCK = 2048  # shingles hashed at a time: 112 x 2048 numbers stay in the cache
_MARGIN = 0.15  # four standard deviations of the estimate from 112 numbers at similarity 0.8

Marks = NDArray[np.generic]
"""What a method remembers of documents to estimate their similarity; shape `(n, marks)`, or `(marks,)` of one."""


class Method(msgspec.Struct, frozen=True):
    """A way to find near-duplicates: documents that share one of their keys are compared.

    `sign(word hashes)` gives `(keys,)` numbers and `(marks,)` of type `mark`; `compare(one, many)` gives estimated
    similarities `(n,)`; candidates below `least(threshold)` are none. What is left is a copy if `verified` is false,
    and otherwise if the Jaccard similarity of the shingles reaches the threshold.
    """

    name: str
    keys: int
    marks: int
    mark: str
    sign: Callable[[Hashes], tuple[Hashes, Marks]]
    compare: Callable[[Marks, Marks], NDArray[np.float64]]
    least: Callable[[float], float]
    verified: bool


def text_number(hashes: Hashes) -> tuple[int, int]:
    """2 x 64 bits, equal for equal words."""
    number = xxhash.xxh3_128_intdigest(hashes.tobytes())
    return number >> 64, number & 0xFFFFFFFFFFFFFFFF


def shingles(hashes: Hashes) -> Hashes:
    """The 5-word shingles of a text as numbers, repeats included; a shorter text is one shingle."""
    return mixed(grams(hashes, min(SHINGLE, len(hashes)))) if len(hashes) else np.zeros(1, np.uint64)


def sign(hashes: Hashes) -> tuple[Hashes, NDArray[np.uint32]]:
    """The bands `(14,)` and the signature `(112,)` of a text given as word hashes."""
    low = (shingles(hashes) >> np.uint64(32)).astype(np.uint32)
    factors, offsets = _permutations()
    rows = np.full(SIZE, 0xFFFFFFFF, np.uint32)
    for start in range(0, len(low), _BLOCK):
        block = factors * low[None, start : start + _BLOCK]
        block += offsets
        np.minimum(rows, block.min(axis=1), out=rows)
    return _band_numbers(rows), rows


@lru_cache(maxsize=1)
def _permutations() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd factors and offsets, `(112, 1)` each: x -> factor * x + offset permutes the 32-bit numbers."""
    numbers = mixed(np.arange(1, 2 * SIZE + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    values = (numbers >> np.uint64(32)).astype(np.uint32).reshape(2, SIZE, 1)
    return values[0] | np.uint32(1), values[1]


def _band_numbers(rows: NDArray[np.uint32]) -> Hashes:
    """One number for each band of 8 rows; equal rows in two bands give two numbers."""
    pairs = np.ascontiguousarray(rows).view(np.uint64).reshape(BANDS, ROWS // 2)
    number = np.arange(BANDS, dtype=np.uint64)
    for column in range(ROWS // 2):
        number = mixed(number + pairs[:, column] + np.uint64(0x9E3779B97F4A7C15))
    return number


def jaccard(left: Hashes, right: Hashes) -> float:
    """Jaccard similarity of two sets of shingles given sorted and without repeats."""
    left, right = (left, right) if len(left) < len(right) else (right, left)
    places = np.minimum(np.searchsorted(right, left), len(right) - 1)
    shared = int((right[places] == left).sum())
    return shared / (len(left) + len(right) - shared)


def _equal(one: Marks, many: Marks) -> NDArray[np.float64]:
    return np.asarray((many == one).mean(axis=1))


MINHASH = Method("minhash", BANDS, SIZE, "<u4", sign, _equal, lambda threshold: threshold - _MARGIN, True)
