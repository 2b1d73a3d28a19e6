"""The windows of a step: which they are is a function of the seed, the step and the data that was left out.

Windows have places 0, 1, 2, ... in the mixture's order. Step n takes the next `batch` places that no rollback put
aside, however many processes share them; each takes its slice. A store in which only answers are learned gives whole
conversations to a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from llemma.core.errors import RecipeError
from llemma.tokens.mixture import Order, Share, Windows
from llemma.tokens.packing import Packed
from llemma.tokens.store import Store
from llemma.train.config import TrainConfig
from llemma.train.mesh import Mesh
from llemma.train.objective import IGNORED

Span = tuple[int, int]
"""Places from the first to before the second."""


def joined(spans: Sequence[Span]) -> list[Span]:
    """The same places as ascending spans that do not touch."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


def place_of(number: int, left_out: Sequence[Span]) -> int:
    """The place of the window taken as number 0, 1, ... when the spans `left_out` (as `joined` returns) are passed."""
    for start, stop in left_out:
        if number < start:
            break
        number += stop - start
    return number


class Feed:
    """Batches of a phase of `steps` steps for one process of `mesh`."""

    def __init__(
        self, stores: Mapping[str, Store], planned: Sequence[Share], config: TrainConfig, steps: int, mesh: Mesh
    ) -> None:
        if config.batch % mesh.readers:
            raise RecipeError(
                f"a batch of {config.batch} windows cannot be divided among {mesh.readers} processes",
                where="train batch",
                mend="choose a batch that is a multiple of the number of processes",
            )
        self.order = Order(dict(stores), planned, config.context, config.seed)
        self.order.windows = [_packed(windows) for windows in self.order.windows]
        self.schedule = self.order.schedule(steps * config.batch)
        self.drawn = self.schedule.drawn
        self.batch, self.mesh = config.batch, mesh
        self.left_out: list[Span] = []
        packed = {n: w for n, w in zip(self.order.names, self.order.windows, strict=True) if isinstance(w, Packed)}
        self.labelled = bool(packed)
        self.notes = [
            f"{name}: {windows.too_long:,} conversations are longer than {config.context + 1} tokens and left out"
            for name, windows in packed.items()
            if windows.too_long
        ]

    def span(self, first: int, stop: int) -> Span:
        """From the place of step `first`'s first window to that of step `stop`."""
        return place_of(first * self.batch, self.left_out), place_of(stop * self.batch, self.left_out)

    def places(self, step: int) -> list[int]:
        """The places of a step's windows, for all processes together."""
        return [place_of(step * self.batch + i, self.left_out) for i in range(self.batch)]

    def mine(self, step: int) -> list[int]:
        """This process' part of `places`."""
        rows = self.batch // self.mesh.readers
        return self.places(step)[self.mesh.reader * rows : (self.mesh.reader + 1) * rows]

    def windows(self, step: int) -> Tensor:
        """This process' windows of a step, in main memory: ids (rows, context + 1)."""
        rows = [self.order.window(*self._named(place)) for place in self.mine(step)]
        return torch.from_numpy(np.stack(rows))

    def documents(self, step: int) -> Tensor:
        """(rows, context + 1): which document each id of `windows` belongs to, counted from the left."""
        named = (self._named(place) for place in self.mine(step))
        rows = [self.order.windows[source].documents(draw) for source, draw in named]
        return torch.from_numpy(np.stack(rows))

    def labels(self, step: int) -> Tensor | None:
        """(rows, context): the ids to predict at each place of `windows`, `IGNORED` where nothing is learned; None
        where everything is."""
        if not self.labelled:
            return None
        found = self.windows(step)[:, 1:]
        for row, place in enumerate(self.mine(step)):
            source, draw = self._named(place)
            windows = self.order.windows[source]
            if isinstance(windows, Packed):
                learned = torch.from_numpy(windows.answers(draw)[1:]).to(found.device)
                found[row, ~learned] = IGNORED
        return found

    def _named(self, place: int) -> tuple[int, int]:
        """Source and draw of a place. Places beyond the plan (data was left out) go round it again, with new draws."""
        again, place = divmod(place, self.schedule.count)
        source, draw = self.schedule.named(place)
        return source, draw + again * int(self.drawn[source])


class Sample(NamedTuple):
    """Windows of a validation store (rows, context + 1), the ids to predict in them (rows, context), and the documents
    that the ids of the windows belong to, counted from the left."""

    windows: Tensor
    labels: Tensor
    documents: Tensor


def sampled(store: Store, context: int, count: int, seed: int) -> Sample:
    """At most `count` evenly spaced windows of a validation store; none where nothing fits into one. Of a store with
    answers whole conversations, and the labels are `IGNORED` where nothing is learned."""
    if store.answers is not None:
        return _conversations(store, context, count, seed)
    possible = (store.info.tokens - 1) // context
    wanted = max(0, min(possible, count))
    starts = [int(i * possible / wanted) * context for i in range(wanted)]
    places = [np.arange(start, start + context + 1) for start in starts]
    rows = _stacked([store.ids[start : start + context + 1].astype(np.int64) for start in starts], context)
    documents = [np.searchsorted(store.starts, place.astype(np.uint64), side="right") for place in places]
    return Sample(rows, rows[:, 1:], _stacked(documents, context))


def _conversations(store: Store, context: int, count: int, seed: int) -> Sample:
    assert store.answers is not None
    numbers: list[int] = []
    if (np.diff(store.starts.astype(np.int64)) <= context + 1).any():
        packed = Packed(store, context, seed)
        wanted = min(count, packed.count)
        numbers = [i * packed.count // wanted for i in range(wanted)]
    rows = _stacked([packed.window(number) for number in numbers], context)
    learned = _stacked([packed.answers(number) for number in numbers], context).bool()
    documents = _stacked([packed.documents(number) for number in numbers], context)
    return Sample(rows, rows[:, 1:].masked_fill(~learned[:, 1:], IGNORED), documents)


def _stacked(rows: Sequence[np.ndarray], context: int) -> Tensor:
    return torch.from_numpy(np.stack(rows) if rows else np.zeros((0, context + 1), np.int64))


def _packed(windows: Windows) -> Windows:
    """The windows of whole conversations in the place of those cut at any token, for a store with answers."""
    if windows.store.answers is None:
        return windows
    return Packed(windows.store, windows.context, windows.seed)  # type: ignore[return-value]  # the same face
