"""Near-duplicates by SimHash, as OpenWebMath removed them: 64 bits of the 5-word shingles, three of which may differ.

SimHash (Charikar 2002) sums +1 or -1 for each bit of each shingle; the signs are the document's 64 bits. Documents
within a Hamming distance of 3 agree in at least three of six blocks of their bits (Manku, Jain, Das Sarma 2007), so the
twenty choices of three blocks are the keys by which they meet, and none is missed. The distance alone decides: on
documents of a few hundred words it misses most of what MinHash finds (docs/benchmarks.md).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from llemma.corpus.dedup import Marks, Method, shingles
from llemma.corpus.words import Hashes, mixed

BITS = 64
DISTANCE = 3
"""Bits in which copies may differ."""
_BLOCKS = 6
_SHARED = _BLOCKS - DISTANCE  # blocks that no differing bit falls into, at least
_SIZES = (11, 11, 11, 11, 10, 10)


def simhash(hashes: Hashes) -> np.uint64:
    """The 64 bits of a text given as word hashes; each distinct shingle counts once."""
    data = np.unique(shingles(hashes)).view(np.uint8)
    ones = np.unpackbits(data, bitorder="little").reshape(-1, BITS).sum(axis=0)
    return np.uint64(np.packbits(ones * 2 > len(data) // 8, bitorder="little").view(np.uint64)[0])


@lru_cache(maxsize=1)
def _masks() -> Hashes:
    """For each choice of three blocks the bits in them, `(20,)`."""
    ends = np.cumsum(_SIZES)
    blocks = [((1 << size) - 1) << (int(end) - size) for size, end in zip(_SIZES, ends, strict=True)]
    return np.array([sum(some) for some in combinations(blocks, _SHARED)], np.uint64)


def keys(bits: np.uint64) -> Hashes:
    """The numbers by which documents meet, `(20,)`."""
    masks = _masks()
    return mixed((bits & masks) ^ mixed(masks))


def sign(hashes: Hashes) -> tuple[Hashes, NDArray[np.uint64]]:
    """Keys `(20,)` and bits `(1,)` of a text given as word hashes."""
    bits = simhash(hashes)
    return keys(bits), np.array([bits], np.uint64)


def _agreement(one: Marks, many: Marks) -> NDArray[np.float64]:
    """The share of equal bits."""
    differing = np.bitwise_xor(many, one).astype(np.uint64).view(np.uint8).reshape(len(many), -1)
    return np.asarray(1 - np.unpackbits(differing, axis=1).sum(axis=1) / BITS)


SIMHASH = Method(
    "simhash",
    len(list(combinations(_SIZES, _SHARED))),
    1,
    "<u8",
    sign,
    _agreement,
    lambda _: 1 - DISTANCE / BITS,
    False,
)
