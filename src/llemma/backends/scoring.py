"""How likely a text is to a network in this process, in windows where it is longer than the context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 16
LOGITS = 1 << 28  # logits held at once, 1 GiB of float32; beyond, fewer rows are computed together

NEAR = 64  # places counted together


def windows(length: int, context: int, stride: int = 0) -> list[tuple[int, int, int]]:
    """Cut `length` predictions into windows `(start, scored from, end)` of at most `context` inputs, each `stride`
    further than the one before (half a context without it).

    Every prediction in [0, length) is scored exactly once.
    """
    if length <= context:
        return [(0, 0, length)] if length else []
    stride = min(stride, context) or max(1, context // 2)
    found, scored = [(0, 0, context)], context
    while scored < length:
        end = min(length, scored + stride)
        found.append((end - context, scored, end))
        scored = end
    return found


class Reading(NamedTuple):
    """How long texts are scored: tokens of a window (0: the model's context), and from one to the next (0: half)."""

    window: int = 0
    stride: int = 0


READING = Reading()


class Scores(NamedTuple):
    """Of each token of a text after its first, both (tokens,): -ln p, and the place (from 0) in its window of the token
    that it was predicted from."""

    nats: np.ndarray
    places: np.ndarray

    @property
    def by_place(self) -> list[tuple[int, int, float]]:
        """Tokens and nats of places 0 to 63, and from each power of two to before the next: (first place, tokens,
        nats)."""
        kinds = np.where(self.places < NEAR, 0, np.floor(np.log2(np.maximum(self.places, 1)))).astype(np.int64)
        counts, sums = np.bincount(kinds), np.bincount(kinds, weights=self.nats)
        return [
            (2**kind if kind else 0, int(counts[kind]), round(float(sums[kind]), 4))
            for kind in range(len(counts))
            if counts[kind]
        ]


def nats(ids: list[int], context: int, vocabulary: int, logits: Callable[[Tensor], Tensor]) -> float:
    """-ln p of `ids` after their first: the sum of `scores`."""
    return float(scores(ids, context, vocabulary, logits).nats.sum())


def scores(
    ids: list[int], context: int, vocabulary: int, logits: Callable[[Tensor], Tensor], stride: int = 0
) -> Scores:
    """-ln p of each of `ids` after their first, by `logits`: ids (B, T) -> (B, T, vocabulary).

    Texts longer than `context` are read in windows that overlap by all but `stride`: every token is scored once, and
    with at least `context - stride` tokens before it wherever the text has that many.
    """
    found = windows(len(ids) - 1, context, stride)
    rows = max(1, min(ROWS, LOGITS // (min(context, len(ids)) * vocabulary)))
    parts = [part for chunk in _chunks(found, rows) for part in _scores(ids, chunk, logits)]
    places = [np.arange(scored - start, end - start) for start, scored, end in found]
    empty = np.zeros(0)
    return Scores(np.concatenate([empty, *parts]), np.concatenate([empty.astype(np.int64), *places]))


def _scores(
    ids: list[int], rows: list[tuple[int, int, int]], logits: Callable[[Tensor], Tensor]
) -> Iterator[np.ndarray]:
    """Of some windows; padded on the right, where causal attention cannot see."""
    width = max(end - start for start, _, end in rows)
    inputs = torch.zeros(len(rows), width, dtype=torch.long)
    targets = torch.full((len(rows), width), -100, dtype=torch.long)
    for index, (start, scored, end) in enumerate(rows):
        inputs[index, : end - start] = torch.tensor(ids[start:end])
        targets[index, scored - start : end - start] = torch.tensor(ids[scored + 1 : end + 1])
    found = logits(inputs).float().flatten(0, 1)
    made = F.cross_entropy(found, targets.flatten().to(found.device), reduction="none").view(targets.shape).cpu()
    for index, (start, scored, end) in enumerate(rows):
        yield made[index, scored - start : end - start].double().numpy()


def _chunks(items: list[tuple[int, int, int]], size: int) -> Iterator[list[tuple[int, int, int]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
