"""Which items share n consecutive words with a document: exact, and quick because most words are never looked at.

Let m be the smallest number of words that counts. An item's blocks of k words are indexed, k about m / 2, and a
document is asked only at every s-th word, s = m - k + 1: whatever m consecutive words are shared, one of the document's
blocks asked for lies whole in them. A block that is found is compared word by word and grown in both directions to the
longest run of shared words, which answers every n at once. Hashes only propose; words decide.

Blocks are named by Python's own hash of strings, which is made anew in each process: an index is not for keeping.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llemma.core.errors import UsageError
from llemma.overlap.words import WINDOW, Splitter, Window, windows

Length = int | Literal["full"]
"""A number of words, or `full`: the whole item, however long."""

_LONGEST_PROBE = 32  # of whole items: longer ones are found by their words' blocks just as well
_TABLE_BITS = 16, 25
_PART = 65_536  # blocks of a document looked up at a time


class Run(NamedTuple):
    """The longest run of words around a shared n-gram: `[begin, end)` of a window; `place` is that of `begin` in the
    words of all items."""

    begin: int
    end: int
    place: int


class Found(NamedTuple):
    """A pair's first n-gram in the document. `at` and `item_at` count words from 0; `shared` is the length of the run.

    `run` is the whole run of shared words the n-gram lies in; the other texts are the words around it.
    """

    item: int
    n: Length
    ngram: str
    at: int
    item_at: int
    shared: int
    run: str = ""
    before: str = ""
    after: str = ""
    item_before: str = ""
    item_after: str = ""


class Probe:
    """The blocks of the items, where `least` shared words count; they have `size` words, every `stride`-th is asked."""

    def __init__(self, least: int, items: Sequence[int], starts: Sequence[int], flat: list[str]) -> None:
        self.least = least
        self.size = min(least, max(4, (least + 1) // 2))
        self.stride = least - self.size + 1
        places, owners = array("q"), array("q")
        for item in items:
            count = max(0, starts[item + 1] - starts[item] - self.size + 1)
            places.extend(range(starts[item], starts[item] + count))
            owners.extend([item] * count)
        keys = _hashes(flat, places, self.size)
        order = np.argsort(keys, kind="stable")
        self.keys = keys[order]
        # most of what an index weighs: eight bytes a place are for texts of over four billion words
        kind = np.uint32 if len(flat) < 2**32 else np.int64
        self.places, self.owners = np.array(places, kind)[order], np.array(owners, kind)[order]
        # where every word is asked, most are answered by the first words of blocks
        self.firsts = {flat[place] for place in places} if self.stride == 1 else None
        low, high = _TABLE_BITS
        self.mask = np.int64((1 << min(high, max(low, len(keys).bit_length() + 4))) - 1)
        self.table = np.zeros(int(self.mask) + 1, np.bool_)
        self.table[self.keys & self.mask] = True

    def candidates(self, window: Window[str]) -> Iterator[tuple[int, int, int]]:
        """(begin of a block in the window, low, high): `[low, high)` of the columns have the block's hash."""
        end = min(len(window.words) - self.size + 1, window.last + self.stride)
        blocks: Sequence[int] = range(window.first, end, self.stride)
        if self.firsts is not None:
            words, firsts = window.words, self.firsts
            blocks = [begin for begin in blocks if words[begin] in firsts]
        for start in range(0, len(blocks), _PART):
            part = blocks[start : start + _PART]
            keys = _hashes(window.words, part, self.size)
            possible = np.flatnonzero(self.table[keys & self.mask])
            if len(possible):
                low = np.searchsorted(self.keys, keys[possible], "left")
                high = np.searchsorted(self.keys, keys[possible], "right")
                yield from (
                    (part[block], a, b)
                    for block, a, b in zip(possible.tolist(), low.tolist(), high.tolist(), strict=True)
                    if a < b
                )


def _hashes(words: list[str], begins: Sequence[int], size: int) -> NDArray[np.int64]:
    join = " ".join
    blocks = (join(words[begin : begin + size]) for begin in begins)
    return np.fromiter(map(hash, blocks), np.int64, len(begins))


class Index:
    """Items given as texts, ready to be looked for. `lengths` says which numbers of words count; see `pairs.find`."""

    def __init__(
        self, items: Sequence[str], lengths: Sequence[Length], split: Splitter, *, context: int = 0, window: int = 0
    ) -> None:
        self.lengths = checked(lengths)
        self.split, self.context = split, context
        self.flat: list[str] = []
        self.starts = [0]
        known: dict[str, str] = {}
        for text in items:
            self.flat += [known.setdefault(word, word) for word in split(text)]
            self.starts.append(len(self.flat))
        self.sizes = [end - start for start, end in zip(self.starts, self.starts[1:], strict=False)]
        longest = max(self.sizes, default=0)
        self.margin = longest + context
        self.reach = min(longest, max(longest if n == "full" else n for n in self.lengths))
        self.window = window or max(WINDOW, 16 * self.margin)
        self._probes = self._probed()

    def short(self, n: Length) -> list[int]:
        """The items that have too few words to share `n` of them."""
        least = 1 if n == "full" else n
        return [item for item, size in enumerate(self.sizes) if size < least]

    def scan(self, text: str) -> list[Found]:
        """All that a document shares with the items: one entry for each item and each length that it shares, in the
        order of the items and of the lengths."""
        search = _Search(self)
        for window in windows(text, self.split, self.margin, self.window):
            for probe in self._probes:
                search.look(window, probe)
        order = {n: number for number, n in enumerate(self.lengths)}
        return sorted(search.found, key=lambda found: (found.item, order[found.n]))

    def wanted(self, item: int) -> dict[Length, int]:
        """The lengths that `item` can share, in words."""
        size = self.sizes[item]
        needs: dict[Length, int] = {n: size if n == "full" else n for n in self.lengths}
        return {n: need for n, need in needs.items() if 0 < need <= size}

    def _probed(self) -> list[Probe]:
        """Few probes, however different the items: one for the smallest n, and for whole items one a power of two."""
        smallest = min((n for n in self.lengths if n != "full"), default=0)
        groups: dict[int, list[int]] = {}
        for item, size in enumerate(self.sizes):
            if smallest and size >= smallest:
                groups.setdefault(smallest, []).append(item)
            elif "full" in self.lengths and size:
                groups.setdefault(1 << (min(size, _LONGEST_PROBE).bit_length() - 1), []).append(item)
        return [Probe(least, items, self.starts, self.flat) for least, items in sorted(groups.items())]


def checked(lengths: Sequence[Length]) -> tuple[Length, ...]:
    """The lengths without repeats; raises `UsageError` for none, or one that is neither from 1 on nor `full`."""
    for n in lengths:
        if n != "full" and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
            raise UsageError(f"n-grams of '{n}' words", where="n", mend="a number of words from 1 on, or full")
    if not lengths:
        raise UsageError("no length of n-grams", where="n", mend="give at least one")
    return tuple(dict.fromkeys(lengths))


class _Search:
    """One document: what was found, and of each item what is still to be found."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.found: list[Found] = []
        self.open: dict[int, dict[Length, int]] = {}

    def look(self, window: Window[str], probe: Probe) -> None:
        """Find the items of `probe` in a window.

        Blocks come in the order of the document, so the first run that is long enough begins before all later ones;
        among runs of the same block the earliest counts.
        """
        seen: dict[int, int] = {}  # place minus begin -> where the run that lies on this diagonal ends
        over: set[int] = set()  # blocks of which every item is done
        barren: dict[int, set[str]] = {}  # what stood around blocks that led to nothing: tables repeat themselves
        for begin, low, high in probe.candidates(window):
            if low in over or (low in barren and self._around(window, begin) in barren[low]):
                continue
            runs, alive = self._runs(window, probe, begin, low, high, seen)
            for item, found in runs.items():
                self._settle(window, item, found)
            if not alive:
                over.add(low)
            elif not runs:
                barren.setdefault(low, set()).add(self._around(window, begin))

    def _around(self, window: Window[str], begin: int) -> str:
        """All words that decide whether an n-gram through a block is shared, or a text that is nowhere else."""
        low, high = begin - self.index.reach, begin + self.index.reach
        inside = window.first <= low and high <= window.last
        return " ".join(window.words[low:high]) if inside else f"{begin} "

    def _runs(
        self, window: Window[str], probe: Probe, begin: int, low: int, high: int, seen: dict[int, int]
    ) -> tuple[dict[int, list[Run]], bool]:
        """The new runs through a block by item, and whether any item of the block had something to find."""
        runs: dict[int, list[Run]] = {}
        alive = False
        for place, item in zip(probe.places[low:high].tolist(), probe.owners[low:high].tolist(), strict=True):
            if self.open.get(item, True):
                alive = True
                diagonal = place - begin
                if seen.get(diagonal, -1) <= begin:
                    run = self._run(window.words, begin, place, item, probe.size)
                    seen[diagonal] = run.end
                    if run.end - run.begin >= probe.least:
                        runs.setdefault(item, []).append(run)
        return runs, alive

    def _run(self, words: list[str], begin: int, place: int, item: int, size: int) -> Run:
        """The longest shared run through a block, empty where only the hashes were equal."""
        flat, starts = self.index.flat, self.index.starts
        if words[begin : begin + size] != flat[place : place + size]:
            return Run(begin, begin, place)
        left, right = 0, size
        most = min(begin, place - starts[item])
        while left < most and words[begin - left - 1] == flat[place - left - 1]:
            left += 1
        most = min(len(words) - begin, starts[item + 1] - place)
        while right < most and words[begin + right] == flat[place + right]:
            right += 1
        return Run(begin - left, begin + right, place - left)

    def _settle(self, window: Window[str], item: int, runs: list[Run]) -> None:
        """Keep the first n-gram of each length that the runs are long enough for."""
        if item not in self.open:
            self.open[item] = self.index.wanted(item)
        left = self.open[item]
        for n, need in list(left.items()):
            starts = [(max(run.begin, window.first), run.place, run) for run in runs]
            enough = [(at, place, run) for at, place, run in starts if run.end - at >= need and at < window.last]
            if enough:
                at, _, run = min(enough)
                self.found.append(self._told(window, item, n, need, at, run))
                del left[n]

    def _told(self, window: Window[str], item: int, n: Length, need: int, at: int, run: Run) -> Found:
        words, base = window.words, self.index.starts[item]
        item_at = run.place + at - run.begin - base
        found = Found(item, n, " ".join(words[at : at + need]), window.offset + at, item_at, run.end - run.begin)
        around, flat = self.index.context, self.index.flat
        if not around:
            return found
        place, stop = run.place, run.place + run.end - run.begin
        return found._replace(
            run=" ".join(words[run.begin : run.end]),
            before=" ".join(words[max(0, run.begin - around) : run.begin]),
            after=" ".join(words[run.end : run.end + around]),
            item_before=" ".join(flat[max(base, place - around) : place]),
            item_after=" ".join(flat[stop : min(stop + around, self.index.starts[item + 1])]),
        )
