"""The windows of a step: which they are is a function of the seed, the step and the data that was left out.

Windows have places 0, 1, 2, ... in the mixture's order. Step n takes the next `batch` places that no rollback put
aside, however many processes share them; each takes its slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from llemma.core.errors import RecipeError
from llemma.tokens.mixture import Order, Share
from llemma.tokens.store import Store
from llemma.train.config import TrainConfig
from llemma.train.mesh import Mesh

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
        self.schedule = self.order.schedule(steps * config.batch)
        self.drawn = self.schedule.drawn
        self.batch, self.mesh = config.batch, mesh
        self.left_out: list[Span] = []

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
        """What the network shall say at each place of `windows` but the last, (rows, context), -100 where nothing
        counts; None: every token counts."""
        return None

    def _named(self, place: int) -> tuple[int, int]:
        """Source and draw of a place. Places beyond the plan (data was left out) go round it again, with new draws."""
        again, place = divmod(place, self.schedule.count)
        source, draw = self.schedule.named(place)
        return source, draw + again * int(self.drawn[source])
