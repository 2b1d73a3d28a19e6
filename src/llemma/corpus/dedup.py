"""Exact and near duplicates.

A document is the set of its 5-word shingles. MinHash (Broder 1997) gives it a signature of 112 numbers; the share of
equal numbers of two signatures estimates the Jaccard similarity of the sets. Signatures are cut into 14 bands of 8
rows, and only documents that agree in a whole band are compared: a pair of similarity J meets with probability
1 - (1 - J^8)^14, which is 0.92 at J = 0.8 and 0.9996 at J = 0.9. Each candidate is then verified on the sets, so
nothing is merged below the threshold. Documents are taken in order: one that is similar to an earlier kept document is
its copy, every other is kept. Copies are never chained: the similarity is always that to the kept document.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from llemma.corpus.words import Hashes, grams, mixed, word_hashes

SHINGLE = 5
BANDS = 14
ROWS = 8
SIZE = BANDS * ROWS
_BLOCK = 2048  # shingles hashed at a time: 112 x 2048 numbers stay in the cache
_MARGIN = 0.15  # four standard deviations of the estimate from 112 numbers at similarity 0.8


class Signature(msgspec.Struct, frozen=True):
    """What is remembered of a text: `text` (2 x 64 bits, equal for equal words), `bands` (14,) and `rows` (112,)."""

    text: tuple[int, int]
    bands: Hashes
    rows: NDArray[np.uint32]


class Copy(msgspec.Struct, frozen=True):
    """Document number `index` is a copy of the kept document number `keeper`; `exact` if their words are equal."""

    index: int
    keeper: int
    similarity: float
    exact: bool


def shingles(hashes: Hashes) -> Hashes:
    """The 5-word shingles of a text as numbers, repeats included; a shorter text is one shingle."""
    return mixed(grams(hashes, min(SHINGLE, len(hashes)))) if len(hashes) else np.zeros(1, np.uint64)


def sign(hashes: Hashes) -> Signature:
    """The signature of a text given as word hashes."""
    low = (shingles(hashes) >> np.uint64(32)).astype(np.uint32)
    factors, offsets = _permutations()
    rows = np.full(SIZE, 0xFFFFFFFF, np.uint32)
    for start in range(0, len(low), _BLOCK):
        block = factors * low[None, start : start + _BLOCK]
        block += offsets
        np.minimum(rows, block.min(axis=1), out=rows)
    text = xxhash.xxh3_128_intdigest(hashes.tobytes())
    return Signature((text >> 64, text & 0xFFFFFFFFFFFFFFFF), _band_numbers(rows), rows)


@lru_cache(maxsize=1)
def _permutations() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd factors and offsets, `(112, 1)` each: x -> factor * x + offset permutes the 32-bit numbers."""
    numbers = mixed(np.arange(1, 2 * SIZE + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    values = (numbers >> np.uint64(32)).astype(np.uint32).reshape(2, SIZE, 1)
    return values[0] | np.uint32(1), values[1]


def _band_numbers(rows: NDArray[np.uint32]) -> Hashes:
    """One number for each band of 8 rows."""
    pairs = np.ascontiguousarray(rows).view(np.uint64).reshape(BANDS, ROWS // 2)
    number = np.zeros(BANDS, np.uint64)
    for column in range(ROWS // 2):
        number = mixed(number + pairs[:, column] + np.uint64(0x9E3779B97F4A7C15))
    return number


def jaccard(left: Hashes, right: Hashes) -> float:
    """Jaccard similarity of two sets of shingles given sorted and without repeats."""
    shared = len(np.intersect1d(left, right, assume_unique=True))
    return shared / (len(left) + len(right) - shared)


class Index(msgspec.Struct, frozen=True):
    """All documents of a corpus for `find_copies`, as callables, so that columns may lie on disk.

    `texts` is `(n, 2)`; `band(b)` is `(n,)`; `rows(i)` is `(len(i), 112)`; `words(i)` are its word hashes.
    """

    texts: Hashes
    band: Callable[[int], Hashes]
    rows: Callable[[Sequence[int]], NDArray[np.uint32]]
    words: Callable[[int], Hashes]


def find_copies(index: Index, threshold: float) -> list[Copy]:
    """Every document that is a copy of an earlier kept one, in order.

    Memory: about 150 bytes a document, and the buckets of kept documents that share a band with an earlier one.
    """
    exact = _exact(index.texts)
    alive = np.ones(len(index.texts), bool)
    alive[np.fromiter(exact, np.int64, len(exact))] = False
    near = _near(index, _meetings(index, alive), threshold)
    found = [Copy(i, keeper, 1.0, True) for i, keeper in exact.items()]
    # A copy of a near copy has the same words, hence the same similarity to the kept document.
    final = [_of_kept(copy, near) for copy in found]
    return sorted([*final, *near.values()], key=lambda copy: copy.index)


def _of_kept(copy: Copy, near: dict[int, Copy]) -> Copy:
    first = near.get(copy.keeper)
    return copy if first is None else Copy(copy.index, first.keeper, first.similarity, False)


def _exact(texts: Hashes) -> dict[int, int]:
    """Document -> first document with the same words."""
    if not len(texts):
        return {}
    order = np.lexsort((texts[:, 1], texts[:, 0]))  # stable: equal texts stay in document order
    ordered = texts[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    firsts = order[np.flatnonzero(new)[np.cumsum(new) - 1]]
    copies = np.flatnonzero(~new)
    return dict(sorted(zip(order[copies].tolist(), firsts[copies].tolist(), strict=True)))


def _meetings(index: Index, alive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`(documents, bands)`: the first living document with the same number in a band, -1 where no other has it."""
    first = np.full((len(alive), BANDS), -1, np.int64)
    living = np.flatnonzero(alive)
    for band in range(BANDS):
        _, firsts, inverse, counts = np.unique(
            index.band(band)[living], return_index=True, return_inverse=True, return_counts=True
        )
        first[living, band] = np.where(counts > 1, living[firsts], -1)[inverse]
    return first


def _near(index: Index, meetings: NDArray[np.int64], threshold: float) -> dict[int, Copy]:
    """Document -> the kept document it is most similar to, if that is similar enough."""
    later: dict[tuple[int, int], list[int]] = {}  # kept documents of a bucket besides its first
    copies: dict[int, Copy] = {}

    @lru_cache(maxsize=256)
    def sets(document: int) -> Hashes:
        return np.unique(shingles(index.words(document)))

    for document in np.flatnonzero((meetings >= 0).any(axis=1)).tolist():
        keys = [(band, first) for band, first in enumerate(meetings[document].tolist()) if 0 <= first != document]
        firsts = {first for _, first in keys if first not in copies}
        candidates = sorted(firsts.union(*(later.get(key, ()) for key in keys)))
        best = max(_similar(index, document, candidates, sets, threshold), default=None)
        if best is not None:
            copies[document] = Copy(document, -best[1], best[0], False)
        else:
            for key in keys:
                later.setdefault(key, []).append(document)
    return copies


def _similar(
    index: Index, document: int, candidates: list[int], sets: Callable[[int], Hashes], threshold: float
) -> list[tuple[float, int]]:
    """(similarity, minus candidate) of those that reach the threshold; the maximum is the earliest of the best."""
    if not candidates:
        return []
    estimates = (index.rows(candidates) == index.rows([document])).mean(axis=1)
    likely = [kept for kept, value in zip(candidates, estimates, strict=True) if value >= threshold - _MARGIN]
    measured = [(jaccard(sets(document), sets(kept)), -kept) for kept in likely]
    return [pair for pair in measured if pair[0] >= threshold]


def index_texts(texts: Sequence[str]) -> Index:
    """An index over texts in memory, for small corpora and tests."""
    hashes = [word_hashes(text.split()) for text in texts]
    signatures = [sign(item) for item in hashes]
    bands = np.array([item.bands for item in signatures], np.uint64).reshape(-1, BANDS)
    rows = np.array([item.rows for item in signatures], np.uint32).reshape(-1, SIZE)
    return Index(
        texts=np.array([item.text for item in signatures], np.uint64).reshape(-1, 2),
        band=lambda band: bands[:, band],
        rows=lambda documents: rows[list(documents)],
        words=lambda document: hashes[document],
    )
