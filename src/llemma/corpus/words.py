"""Words as 64-bit numbers, and n-grams of words as one number each.

Words are `str.split()`. Duplicate removal and decontamination both compare n-grams of words; both start here.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

# 3 modulo 4, so that base - 1 is only once even and exchanged words change all but one bit of an n-gram.
_BASE = 0x9E3779B97F4A7C17
_INVERSE = pow(_BASE, -1, 2**64)
_VOCABULARY = 1_000_000


class _Vocabulary(dict[str, int]):
    """Remembers the hash of each word: in running text nearly every word has been seen before."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _VOCABULARY:
            self.clear()
        number = self[word] = xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass"))
        return number


_vocabulary = _Vocabulary()


def word_hashes(words: list[str]) -> Hashes:
    """One number a word; shape `(len(words),)`."""
    return np.fromiter(map(_vocabulary.__getitem__, words), np.uint64, len(words))


def grams(hashes: Hashes, n: int) -> Hashes:
    """One number for each `n` consecutive words; shape `(max(0, len - n + 1),)`.

    A polynomial hash modulo 2^64, read off prefix sums: sum(h[i+j] * base^j) = base^-i * (prefix[i+n] - prefix[i]).
    """
    count = len(hashes) - n + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    powers, inverses = _powers(1 << max(10, (len(hashes) - 1).bit_length()))
    prefix = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * powers[: len(hashes)], out=prefix[1:])
    return (prefix[n:] - prefix[:count]) * inverses[:count]


@lru_cache(maxsize=24)
def _powers(length: int) -> tuple[Hashes, Hashes]:
    """base^0 ... base^(length-1) and their inverses, modulo 2^64."""
    powers = np.full((2, length), 1, np.uint64)
    powers[0, 1:], powers[1, 1:] = _BASE, _INVERSE
    np.cumprod(powers, axis=1, out=powers)
    return powers[0], powers[1]


def mixed(numbers: Hashes) -> Hashes:
    """Every bit of the result depends on every bit of the number (the finaliser of SplitMix64, Steele et al. 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
