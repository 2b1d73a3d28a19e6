"""Items that stand in a document in other words: a second look, by MinHash, with every candidate verified.

An item is the set of its shingles: 3 consecutive units (`words.normal`), case left aside. A window of a document is as
many consecutive shingles as the item has, and the similarity of a document and an item is the largest Jaccard
similarity of the item's set with that of a window. What is kept of an item to be found by is its bottom sketch, the
shingles with the smallest hashes (A. Z. Broder, On the resemblance and containment of documents, 1997): a uniform
sample of the set. A window of similarity t holds at least the share t of the item's shingles, so at least about t of
its sketch; windows that hold two standard deviations less are measured in full. What is reported is therefore exact;
that something at the very threshold is missed has a probability of about 2 %, and less above it.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from llemma.overlap.words import WINDOW, Window, normal, units, windows

SHINGLE = 3
SKETCH = 32
FEWEST = 8
"""Shingles below which a similarity says nothing; such items are not looked for."""

_COMMON = 64  # items that may share a shingle of a sketch; what more of them share tells none of them apart
_TABLE_BITS = 16, 25
_KNOWN, _LONG = 200_000, 100  # words remembered, and their letters at most

Numbers = NDArray[np.uint64]


class Similar(NamedTuple):
    """An item's most similar window in a document: `at` is where it begins, in units from 0, `text` its units."""

    item: int
    similarity: float
    at: int
    text: str = ""


class _Hashes(dict[str, bytes]):
    """Remembers, of each word, the hashes of its units, whatever their case, one behind the other."""

    def __missing__(self, word: str) -> bytes:
        folded = (unit.casefold().encode("utf-8", "surrogatepass") for unit in units(word))
        found = b"".join(xxhash.xxh3_64_intdigest(unit).to_bytes(8, sys.byteorder) for unit in folded)
        if len(self) >= _KNOWN:
            self.clear()
        if len(word) <= _LONG:
            self[word] = found
        return found


_hashes = _Hashes()


def hashed(text: str) -> Numbers:
    """The units of a text, each as a number."""
    return np.frombuffer(b"".join(map(_hashes.__getitem__, text.split())), np.uint64)


def shingles(hashes: Numbers) -> Numbers:
    """One number for each 3 consecutive units, in their order."""
    count = len(hashes) - SHINGLE + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    numbers = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        # every bit of the result depends on all units (the finaliser of SplitMix64, Steele et al. 2014)
        numbers = (numbers + hashes[place : place + count]) * np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        numbers ^= numbers >> np.uint64(31)
    return numbers


class Sketches:
    """Items to be found in other words; `threshold` is the least Jaccard similarity that counts, above 0."""

    def __init__(self, items: Sequence[str], threshold: float, *, window: int = 0) -> None:
        self.threshold = threshold
        sequences = [shingles(hashed(text)) for text in items]
        self.sets = [np.unique(numbers) for numbers in sequences]
        self.lengths = np.array([len(numbers) for numbers in sequences], np.int64)
        self.short = [item for item, numbers in enumerate(self.sets) if len(numbers) < FEWEST]
        values, owners, self.needs = self._sketched()
        order = np.argsort(values, kind="stable")
        self.values, self.owners = values[order], owners[order]
        low, high = _TABLE_BITS
        self.shift = np.uint64(64 - min(high, max(low, len(values).bit_length() + 4)))
        self.table = np.zeros(1 << (64 - int(self.shift)), np.bool_)
        self.table[self.values >> self.shift] = True
        self.margin = int(max(self.lengths, default=0)) + SHINGLE
        self.window = window or max(WINDOW, 16 * self.margin)

    def _sketched(self) -> tuple[Numbers, NDArray[np.int64], NDArray[np.int64]]:
        """All sketches as (value, item), and how many values of its sketch an item's window must hold."""
        long = set(range(len(self.sets))) - set(self.short)
        every = np.concatenate([self.sets[item] for item in sorted(long)] or [np.zeros(0, np.uint64)])
        known, counts = np.unique(every, return_counts=True)
        common = known[counts > _COMMON]
        values, owners, needs = array("Q"), array("q"), np.ones(len(self.sets), np.int64)
        for item in sorted(long):
            telling = np.setdiff1d(self.sets[item], common, assume_unique=True)
            sketch = (telling if len(telling) >= FEWEST else self.sets[item])[:SKETCH]  # sorted: the smallest
            values.extend(sketch.tolist())
            owners.extend([item] * len(sketch))
            needs[item] = _need(len(sketch), len(self.sets[item]), self.threshold)
        return np.array(values, np.uint64), np.array(owners, np.int64), needs

    def scan(self, text: str) -> list[Similar]:
        """The items that are similar enough to a window of the document, in their order."""
        best: dict[int, Similar] = {}
        for window, numbers in self._windows(text):
            for item, starts in self._candidates(window, numbers):
                found = self._measured(window, numbers, item, starts)
                if found is not None and (item not in best or found.similarity > best[item].similarity):
                    best[item] = found
        return [best[item]._replace(text=self._text(text, best[item])) for item in sorted(best)]

    def _windows(self, text: str) -> Iterator[tuple[Window[int], Numbers]]:
        """A document's windows with their shingles; one that is short needs no lists."""
        if len(text) <= self.window:
            hashes = hashed(text)
            yield Window([], 0, len(hashes), 0), shingles(hashes)
            return
        for window in windows(text, lambda piece: hashed(piece).tolist(), self.margin, self.window):
            yield window, shingles(np.array(window.words, np.uint64))

    def _text(self, text: str, found: Similar) -> str:
        """The units of a window that was found, read again: few documents have any."""
        size = int(self.lengths[found.item]) + SHINGLE - 1
        for window in windows(text, normal, self.margin, self.window):
            if window.first <= found.at - window.offset < window.last:
                return " ".join(window.words[found.at - window.offset :][:size])
        return ""

    def _candidates(self, window: Window[int], numbers: Numbers) -> Iterator[tuple[int, list[int]]]:
        """(item, where windows may begin that hold enough of its sketch)."""
        places, items = self._events(numbers)
        ends = np.arange(len(places)) + self.needs[items] - 1
        inside = np.flatnonzero(ends < len(places))
        ends, begins, owners = ends[inside], places[inside], items[inside]
        near = (items[ends] == owners) & (places[ends] - begins < self.lengths[owners])
        ends, begins, owners = places[ends[near]], begins[near], owners[near]
        for item in dict.fromkeys(owners.tolist()):
            low, high = np.searchsorted(owners, [item, item + 1])
            size = int(self.lengths[item])
            last = min(max(0, len(numbers) - size), max(window.last, 1) - 1)
            spans = zip(ends[low:high].tolist(), begins[low:high].tolist(), strict=True)
            starts = {
                start
                for end, begin in spans
                for start in range(min(last, max(end - size + 1, window.first)), min(last, begin) + 1)
            }
            yield item, sorted(start for start in starts if start >= window.first)

    def _events(self, numbers: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place, item) wherever a shingle is in an item's sketch, ordered by item and place."""
        possible = np.flatnonzero(self.table[numbers >> self.shift])
        low = np.searchsorted(self.values, numbers[possible], "left")
        counts = np.searchsorted(self.values, numbers[possible], "right") - low
        places = np.repeat(possible, counts)
        offsets = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        items = self.owners[np.repeat(low, counts) + offsets]
        order = np.lexsort((places, items))
        return places[order], items[order]

    def _measured(self, window: Window[int], numbers: Numbers, item: int, starts: list[int]) -> Similar | None:
        """The most similar of the windows that begin at `starts`, if it is similar enough; the first of equals."""
        wanted, size = self.sets[item], int(self.lengths[item])
        likely = _holding(numbers, wanted, size, np.array(starts, np.int64), self.threshold)
        if not len(likely):
            return None
        base = int(likely[0])
        near = numbers[base : int(likely[-1]) + size].tolist()
        best, at = 0.0, 0
        for start, similarity in _slide(near, set(wanted.tolist()), size, (likely - base).tolist()):
            if similarity > best:
                best, at = similarity, start + base
        return Similar(item, best, window.offset + at) if best >= self.threshold else None


def _holding(
    numbers: Numbers, wanted: Numbers, size: int, starts: NDArray[np.int64], threshold: float
) -> NDArray[np.int64]:
    """The starts whose windows hold enough of the item for its share to reach the threshold, repeats counted."""
    if not len(starts):
        return starts
    base, end = int(starts[0]), int(starts[-1]) + size
    near = numbers[base:end]
    places = np.minimum(np.searchsorted(wanted, near), len(wanted) - 1)
    held = np.concatenate([[0], np.cumsum(wanted[places] == near)])
    begins = starts - base
    counts = held[np.minimum(begins + size, len(near))] - held[begins]
    enough: NDArray[np.int64] = starts[counts >= threshold * len(wanted) - 1e-9]
    return enough


def _slide(numbers: list[int], wanted: set[int], size: int, starts: Sequence[int]) -> Iterator[tuple[int, float]]:
    """(start, Jaccard similarity) of the windows of `size` shingles that begin at `starts` (sorted)."""
    held: Counter[int] = Counter()
    shared = begin = end = 0
    for start in starts:
        if start >= end:
            held.clear()
            shared, begin, end = 0, start, start
        for number in numbers[end : start + size]:
            held[number] += 1
            shared += held[number] == 1 and number in wanted
        end = max(end, min(len(numbers), start + size))
        for number in numbers[begin:start]:
            held[number] -= 1
            if not held[number]:
                del held[number]
                shared -= number in wanted
        begin = start
        yield start, shared / (len(wanted) + len(held) - shared)


def _need(sketch: int, whole: int, threshold: float) -> int:
    """Values of a sketch that a similar window holds, but for two standard deviations where the sketch is a sample."""
    spread = 0.0 if sketch == whole else 2 * math.sqrt(sketch * threshold * (1 - threshold))
    return max(1, math.ceil(sketch * threshold - spread - 1e-9))
