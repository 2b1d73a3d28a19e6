"""The next batch is put together while the network computes this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from torch import Tensor

from llemma.train.feed import Feed, Span


class Batch(NamedTuple):
    """A process' part of a step: windows (rows, context + 1) and labels (rows, context) on its device, document numbers
    as the windows in main memory."""

    windows: Tensor
    documents: Tensor | None
    labels: Tensor | None


class Ahead:
    """Batches of `feed` for `device`. Which they are depends on the step and on what was left out, not on what was
    taken before: one that was made in vain (a rollback came between) is thrown away."""

    def __init__(self, feed: Feed, device: torch.device, *, documents: bool) -> None:
        self.feed, self.device, self.documents = feed, device, documents
        self.pool = ThreadPoolExecutor(1, "feed")
        self.next: tuple[tuple[int, list[Span]], Future[Batch]] | None = None

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: Any) -> None:
        self.pool.shutdown(cancel_futures=True)

    def take(self, step: int, *, last: bool = False) -> Batch:
        """The batch of a step; unless it is the last, work on the one after it begins."""
        found = self._made(step)
        if not last:
            self.next = (step + 1, list(self.feed.left_out)), self.pool.submit(self._read, step + 1)
        moved = (None if part is None else part.to(self.device, non_blocking=True) for part in (found[0], found[2]))
        windows, labels = moved
        assert windows is not None
        return Batch(windows, found.documents, labels)

    def _made(self, step: int) -> Batch:
        if self.next is not None:
            (at, left_out), made = self.next
            self.next, batch = None, made.result()  # waited for also where it is of no use: one thread reads the stores
            if (at, left_out) == (step, self.feed.left_out):
                return batch
        return self._read(step)

    def _read(self, step: int) -> Batch:
        """In main memory, pinned where a GPU fetches it while it computes."""
        documents = self.feed.documents(step) if self.documents else None
        windows, labels = self.feed.windows(step), self.feed.labels(step)
        if self.device.type == "cuda":
            windows, labels = windows.pin_memory(), None if labels is None else labels.pin_memory()
        return Batch(windows, documents, labels)
