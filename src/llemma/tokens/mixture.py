"""Weights become one deterministic order of training windows.

A store is cut into windows of `context` + 1 tokens after its documents were shuffled; a source's windows are drawn
without replacement, epoch by epoch, each epoch in its own order. Which source gives window i follows from the shares
alone by the largest-remainder rule, so any prefix of the order has the planned proportions and window i can be named
without replaying what came before: resuming needs a number, no state.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from llemma.core.errors import DataError, RecipeError, suggest
from llemma.core.files import digest
from llemma.core.types import Mixture, Part
from llemma.tokens.store import Store


class Share(msgspec.Struct, frozen=True):
    """What a source gives to a training phase: tokens drawn, the epochs they amount to, the share of all tokens."""

    source: str
    weight: float
    share: float
    tokens: int
    epochs: float
    available: int


def shares(mixture: Mixture, available: dict[str, int], tokens: int) -> list[Share]:
    """Divide `tokens` by weight; a source whose epoch cap binds gives what it may, the others share the rest.

    Raises `RecipeError` for a part that has no store, and when all caps together allow less than `tokens`.
    """
    parts = [part for part in mixture.parts if part.source in available or not part.optional]
    for part in parts:
        if part.source not in available:
            raise RecipeError(
                f"the mixture names '{part.source}', of which there are no tokens",
                where="train mixture",
                mend=suggest(part.source, available) or f"there are {', '.join(sorted(available)) or 'none'}",
            )
    caps = {part.source: _cap(part, available[part.source], tokens) for part in parts}
    if sum(caps.values()) < tokens:
        raise RecipeError(
            f"the mixture can give {int(sum(caps.values())):,} tokens within its epoch caps, the plan needs {tokens:,}",
            where="mixture",
            mend="raise max_epochs or max_fraction, add data, or train fewer tokens",
        )
    given = _fill({part.source: part.weight for part in parts}, caps, tokens)
    return [_share(part.source, part.weight, given[part.source], available[part.source], tokens) for part in parts]


def _cap(part: Part, available: int, tokens: int) -> float:
    if part.weight <= 0:
        return 0.0
    return min(part.max_epochs * available, part.max_fraction * tokens)


def _share(source: str, weight: float, given: float, available: int, total: int) -> Share:
    return Share(source, weight, given / total, round(given), given / available if available else 0.0, available)


def _fill(weights: dict[str, float], caps: dict[str, float], tokens: float) -> dict[str, float]:
    """Water-filling: fix the sources that hit their cap, divide the rest again, until none does."""
    given: dict[str, float] = {}
    while True:
        rest = tokens - sum(given.values())
        free = {name: weight for name, weight in weights.items() if name not in given}
        total = sum(free.values())
        if not total:  # everything is capped or weightless
            return {**dict.fromkeys(weights, 0.0), **given}
        over = [name for name, weight in free.items() if rest * (weight / total) > caps[name]]
        if not over:
            return {**given, **{name: rest * (weight / total) for name, weight in free.items()}}
        given.update({name: caps[name] for name in over})


class Windows:
    """The windows of one store: its documents in a shuffled order, end to end, cut every `context` tokens."""

    def __init__(self, store: Store, context: int, seed: int) -> None:
        order = _rng(seed, "documents").permutation(store.info.documents)
        lengths = np.diff(store.starts.astype(np.int64))[order]
        self.store, self.order, self.context, self.seed = store, order, context, seed
        self.ends = np.cumsum(lengths)
        self.count = max(0, int(self.ends[-1]) - 1) // context if len(self.ends) else 0
        if not self.count:
            raise DataError(
                f"the store holds {store.info.tokens} tokens, fewer than one window of {context + 1}",
                where=str(store.path),
                mend="add data to this source, or leave it out of the mixture",
            )
        self._epoch, self._permutation = -1, np.zeros(0, dtype=np.int64)

    def window(self, number: int) -> np.ndarray:
        """Draw `number` (0, 1, 2, ... over all epochs) as `context` + 1 ids, int64."""
        return self._slice(self._start(number))

    def documents(self, number: int) -> np.ndarray:
        """For each id of that window, which of its documents it belongs to (0, 1, ... from the left), int64."""
        places = self._start(number) + np.arange(self.context + 1)
        found = np.searchsorted(self.ends, places, side="right")
        return found - found[0]  # type: ignore[no-any-return]

    def _start(self, number: int) -> int:
        epoch, place = divmod(number, self.count)
        if epoch != self._epoch:
            self._epoch, self._permutation = epoch, _rng(self.seed, f"epoch {epoch}").permutation(self.count)
        return int(self._permutation[place]) * self.context

    def _slice(self, start: int) -> np.ndarray:
        need, pieces = self.context + 1, []
        index = int(np.searchsorted(self.ends, start, side="right"))
        while need:
            document = self.store.document(int(self.order[index]))
            offset = start - (int(self.ends[index]) - len(document))
            piece = document[offset : offset + need]
            pieces.append(piece)
            need, start, index = need - len(piece), start + len(piece), index + 1
        return np.concatenate(pieces).astype(np.int64)


CHUNK = 65_536
"""Windows whose order is worked out at once; a multiple of `BLOCK`."""
BLOCK = 64
"""Windows that are shuffled together."""


class Order:
    """The training order: window i of the mixture, for any i, without state."""

    def __init__(self, stores: dict[str, Store], planned: Sequence[Share], context: int, seed: int) -> None:
        used = [share for share in planned if share.share > 0]
        self.names = [share.source for share in used]
        self.shares = np.array([share.share for share in used])
        self.windows = [Windows(stores[name], context, _seed_of(seed, name)) for name in self.names]
        self.seed = seed

    def schedule(self, count: int) -> Schedule:
        """Which window of which source is number 0, 1, ... `count` - 1 of the order."""
        return Schedule(self.shares, self.seed, count)

    def window(self, source: int, draw: int) -> np.ndarray:
        """Ids (context + 1,) of draw number `draw` from source number `source`."""
        return self.windows[source].window(draw)


class Schedule:
    """Source and draw of `count` windows, worked out `CHUNK` at a time where they are asked for.

    Draw j of a source with share s stands at (j + 1/2) / s on a common axis, and windows are taken in the order of the
    axis: every prefix has the planned proportions to within one window a source. Blocks of 64 are then shuffled, so
    that batches do not repeat one pattern.
    """

    def __init__(self, shares: np.ndarray, seed: int, count: int) -> None:
        self.shares, self.seed, self.count = shares, seed, count
        self._chunk, self._sources, self._draws = -1, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    @property
    def drawn(self) -> np.ndarray:
        """Windows of each source among all, int64."""
        return self._taken(self.count, self.count)[1]

    def named(self, place: int) -> tuple[int, int]:
        """Source index and draw number of window `place`."""
        if place // CHUNK != self._chunk:
            self._chunk = place // CHUNK
            self._sources, self._draws = self.chunk(self._chunk)
        return int(self._sources[place % CHUNK]), int(self._draws[place % CHUNK])

    def chunk(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Source indices and draw numbers of windows `number` * `CHUNK` and following, both int64."""
        sources, before = self._taken(number * CHUNK, min(self.count, (number + 1) * CHUNK))
        rng = _rng(self.seed, f"interleave {number}" if number else "interleave")
        for start in range(0, len(sources), BLOCK):
            rng.shuffle(sources[start : start + BLOCK])
        draws = np.empty(len(sources), dtype=np.int64)
        for index, first in enumerate(before):
            mine = sources == index
            draws[mine] = np.arange(first, first + mine.sum())
        return sources, draws

    def _taken(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """The sources that stand at `start` to `stop` on the axis, and how often each stands before.

        Before a point x of the axis stand x * s draws of a source, give or take one; so what stands at rank `start`
        lies within as many units of the point `start` as there are sources, and no draw further away is looked at.
        """
        near = len(self.shares) + 2
        first = np.maximum(0, np.floor((start - near) * self.shares)).astype(np.int64)
        last = np.ceil((stop + near) * self.shares).astype(np.int64) + 1
        draws = [np.arange(low, high) for low, high in zip(first, last, strict=True)]
        places = np.concatenate([(found + 0.5) / share for found, share in zip(draws, self.shares, strict=True)])
        sources = np.repeat(np.arange(len(draws)), last - first)[np.argsort(places, kind="stable")]
        skipped = start - int(first.sum())
        before = first + np.bincount(sources[:skipped], minlength=len(draws))
        return sources[skipped : skipped + stop - start], before


def _rng(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng(int(digest(seed, what), 16))


def _seed_of(seed: int, name: str) -> int:
    return int(digest(seed, name), 16) % 2**32
