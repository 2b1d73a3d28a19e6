"""How likely a text is to a network in this process, in windows where it is longer than the context."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 16
LOGITS = 1 << 28  # logits held at once, 1 GiB of float32; beyond, fewer rows are computed together


def windows(length: int, context: int) -> list[tuple[int, int, int]]:
    """Cut `length` predictions into windows `(start, scored from, end)` of at most `context` inputs.

    Every prediction in [0, length) is scored exactly once.
    """
    if length <= context:
        return [(0, 0, length)] if length else []
    stride = max(1, context // 2)
    found, scored = [(0, 0, context)], context
    while scored < length:
        end = min(length, scored + stride)
        found.append((end - context, scored, end))
        scored = end
    return found


def nats(ids: list[int], context: int, vocabulary: int, logits: Callable[[Tensor], Tensor]) -> float:
    """-ln p of `ids` after their first, by `logits`: ids (B, T) -> (B, T, vocabulary).

    Texts longer than `context` are read in windows that overlap by half: every token is scored once, and with at least
    half a context before it wherever the text has that much.
    """
    found = windows(len(ids) - 1, context)
    rows = max(1, min(ROWS, LOGITS // (min(context, len(ids)) * vocabulary)))
    return sum(_nats(ids, chunk, logits) for chunk in _chunks(found, rows))


def _nats(ids: list[int], rows: list[tuple[int, int, int]], logits: Callable[[Tensor], Tensor]) -> float:
    """Of some windows; padded on the right, where causal attention cannot see."""
    width = max(end - start for start, _, end in rows)
    inputs = torch.zeros(len(rows), width, dtype=torch.long)
    targets = torch.full((len(rows), width), -100, dtype=torch.long)
    for index, (start, scored, end) in enumerate(rows):
        inputs[index, : end - start] = torch.tensor(ids[start:end])
        targets[index, scored - start : end - start] = torch.tensor(ids[scored + 1 : end + 1])
    found = logits(inputs).float().flatten(0, 1)
    return float(F.cross_entropy(found, targets.flatten().to(found.device), reduction="sum"))


def _chunks(items: list[tuple[int, int, int]], size: int) -> Iterator[list[tuple[int, int, int]]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
