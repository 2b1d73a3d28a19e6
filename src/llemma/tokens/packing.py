"""Whole conversations in windows: none is cut where a window ends.

Best fit, the longest first (arXiv 2404.10830, section 3.1): each goes where it leaves the least room. What stays free
is filled with the last id of the last conversation, and not learned. The packing is a function of the seed; each epoch
takes its windows in an order of its own. Same face as `mixture.Windows`.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from llemma.core.errors import DataError
from llemma.core.files import digest
from llemma.tokens.store import Store


class Packed:
    """The windows of a store with answers; `too_long` conversations do not fit into one and are left out."""

    def __init__(self, store: Store, context: int, seed: int) -> None:
        self.store, self.context, self.seed = store, context, seed
        lengths = np.diff(store.starts.astype(np.int64))
        self.too_long = int((lengths > context + 1).sum())
        self.bins = pack(lengths, context + 1, seed)
        self.count = len(self.bins)
        if not self.count:
            raise DataError(
                f"none of {len(lengths):,} conversations fits into {context + 1} tokens",
                where=str(store.path),
                mend="raise the phase's context, or tokenize again with --max-tokens and --too-long cut",
            )
        self._epoch, self._order = -1, np.zeros(0, dtype=np.int64)

    def window(self, number: int) -> np.ndarray:
        """Draw `number` (0, 1, 2, ... over all epochs) as `context` + 1 ids, int64."""
        chosen = self._bin(number)
        found = np.concatenate([self.store.document(index) for index in chosen]).astype(np.int64)
        return np.pad(found, (0, self.context + 1 - len(found)), constant_values=int(found[-1]))

    def answers(self, number: int) -> np.ndarray:
        """Which ids of that window are learned, bool."""
        assert self.store.answers is not None
        starts = [(int(self.store.starts[i]), int(self.store.starts[i + 1])) for i in self._bin(number)]
        found = np.concatenate([self.store.answers[start:stop] for start, stop in starts]).astype(bool)
        return np.pad(found, (0, self.context + 1 - len(found)))

    def documents(self, number: int) -> np.ndarray:
        """For each id of that window, which conversation it belongs to, int64; the filling is one of its own."""
        sizes = [int(self.store.starts[i + 1]) - int(self.store.starts[i]) for i in self._bin(number)]
        sizes.append(self.context + 1 - sum(sizes))
        return np.repeat(np.arange(len(sizes)), sizes)

    def _bin(self, number: int) -> list[int]:
        epoch, place = divmod(number, self.count)
        if epoch != self._epoch:
            rng = np.random.default_rng(int(digest(self.seed, f"packed {epoch}"), 16))
            self._epoch, self._order = epoch, rng.permutation(self.count)
        return self.bins[int(self._order[place])]


def pack(lengths: np.ndarray, room: int, seed: int) -> list[list[int]]:
    """Indices of `lengths` in bins of at most `room` together; which of equal lengths goes where is up to the seed."""
    rng = np.random.default_rng(int(digest(seed, "packing"), 16))
    shuffled = rng.permutation(len(lengths))
    order = shuffled[np.argsort(-lengths[shuffled], kind="stable")]
    bins: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room left, bin), ascending
    for index in order.tolist():
        length = int(lengths[index])
        if not 0 < length <= room:
            continue
        at = bisect_left(free, (length, -1))
        if at < len(free):
            left, number = free.pop(at)
            bins[number].append(index)
        else:
            left, number = room, len(bins)
            bins.append([index])
        if left > length:
            insort(free, (left - length, number))
    return bins
