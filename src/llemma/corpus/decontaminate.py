"""Keep test problems out of the training text.

A document is contaminated by a problem when the two share `n` consecutive words, or, where the problem is shorter than
`n` words, when the document contains the whole problem. Words are `str.split()` and compared as they stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from llemma.core.types import Problem
from llemma.corpus.words import Hashes, grams, word_hashes

_TABLE_BITS = 16


class Needle(msgspec.Struct, frozen=True):
    """Consecutive words of a problem that no document may contain."""

    problem: int
    words: list[str]


class Probes(msgspec.Struct, frozen=True):
    """Needles that are looked for by the hash of their first `length` words; `table` answers most words at once."""

    length: int
    needles: dict[int, list[Needle]]
    table: NDArray[np.bool_]

    def places(self, hashes: Hashes) -> Iterator[tuple[int, Needle]]:
        """(position, needle) wherever the first words of a needle stand."""
        if len(hashes) < self.length:
            return
        numbers = grams(hashes, self.length)
        possible = np.flatnonzero(self.table[_slot(numbers)])
        for place, number in zip(possible.tolist(), numbers[possible].tolist(), strict=True):
            for needle in self.needles.get(number, ()):
                yield place, needle


class Protected:
    """Problems to keep out of a corpus; `ngram` is the number of shared words that counts."""

    def __init__(self, problems: Sequence[Problem], ngram: int = 30) -> None:
        self.problems = [problem.id for problem in problems]
        self.ngram = ngram
        self._probes = _by_length(_needles(problems, ngram))

    def hits(self, words: list[str], hashes: Hashes | None = None) -> list[str]:
        """Ids of all problems that a text contaminates, in the order of the problems; `hashes` if already known."""
        return [self.problems[number] for number in sorted({needle.problem for needle in self._found(words, hashes)})]

    def reason(self, words: list[str], hashes: Hashes | None = None) -> str | None:
        """Why a text must go, or None: `shares 30 words with a problem: ID`."""
        needle = min(self._found(words, hashes), key=lambda found: found.problem, default=None)
        if needle is None:
            return None
        shared = f"shares {self.ngram} words with" if len(needle.words) == self.ngram else "contains"
        return f"{shared} a problem: {self.problems[needle.problem]}"

    def _found(self, words: list[str], hashes: Hashes | None) -> Iterator[Needle]:
        if not self._probes:
            return
        known = word_hashes(words) if hashes is None else hashes
        for probes in self._probes:
            for place, needle in probes.places(known):
                if words[place : place + len(needle.words)] == needle.words:
                    yield needle


def _needles(problems: Sequence[Problem], ngram: int) -> Iterator[Needle]:
    for number, problem in enumerate(problems):
        words = problem.text.split()
        size = min(ngram, len(words))
        if size:
            yield from (Needle(number, words[start : start + size]) for start in range(len(words) - size + 1))


def _by_length(needles: Iterator[Needle]) -> list[Probes]:
    """Needles grouped by the largest power of two that is not longer: few passes over a text, whatever the lengths."""
    groups: dict[int, dict[int, list[Needle]]] = {}
    for needle in needles:
        length = 1 << (len(needle.words).bit_length() - 1)
        number = int(grams(word_hashes(needle.words[:length]), length)[0])
        groups.setdefault(length, {}).setdefault(number, []).append(needle)
    return [Probes(length, found, _table(found)) for length, found in sorted(groups.items())]


def _table(needles: dict[int, list[Needle]]) -> NDArray[np.bool_]:
    table = np.zeros(1 << _TABLE_BITS, bool)
    table[_slot(np.array(list(needles), np.uint64))] = True
    return table


def _slot(numbers: Hashes) -> Hashes:
    return numbers >> np.uint64(64 - _TABLE_BITS)
