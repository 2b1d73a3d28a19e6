"""Choose tokens: greedily, or by nucleus sampling from a stream of random numbers that each sample has for itself.

So a sample is named by its seed and does not depend on which others it was batched with (up to rounding of the logits).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal

import msgspec
import numpy as np
import torch
from torch import Tensor


class Sampling(msgspec.Struct, frozen=True):
    """`temperature` 0 is greedy; `top_p` keeps the smallest set of tokens with that probability (nucleus sampling,
    arXiv 1904.09751)."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0


class Generated(msgspec.Struct, frozen=True):
    """The new ids of one sample (without the end token), their summed log-probability (nats), and why it ended."""

    ids: list[int]
    logprob: float
    finish: Literal["stop", "length"]


class Row:
    """A sample in the making."""

    def __init__(self, seed: int) -> None:
        self.ids: list[int] = []
        self.logprob = 0.0
        self.finish: Literal["stop", "length"] = "length"
        self.uniform = np.random.default_rng(seed)

    def extend(self, token: int, logprob: float, eos: Collection[int], stopped: Callable[[list[int]], bool]) -> bool:
        """Add a token; False when that ends the sample."""
        self.logprob += logprob
        if token not in eos:
            self.ids.append(token)
            if not stopped(self.ids):
                return True
        self.finish = "stop"
        return False

    def done(self) -> Generated:
        """What has been made."""
        return Generated(self.ids, self.logprob, self.finish)


def choose(logits: Tensor, rows: Sequence[Row], sampling: Sampling) -> tuple[list[int], list[float]]:
    """Next token and its log-probability for each row of `logits` (rows, V)."""
    logits = logits.float()
    if sampling.temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        draws = torch.tensor([row.uniform.random() for row in rows], device=logits.device)
        tokens = nucleus(logits / sampling.temperature, sampling.top_p, draws)
    logprobs = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
    return tokens.tolist(), logprobs.tolist()


def nucleus(logits: Tensor, top_p: float, draws: Tensor) -> Tensor:
    """Sample one id a row from `logits` (rows, V) by inverse transform of `draws` (rows,) in [0, 1).

    Only the most probable ids that together reach `top_p` can be drawn; the most probable one always can. Equal
    probabilities are taken in the order of their ids.
    """
    probabilities, ids = descending(torch.softmax(logits, dim=-1))
    before = probabilities.cumsum(dim=-1) - probabilities
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    probabilities[:, 0].clamp_(min=1e-12)
    cumulative = probabilities.cumsum(dim=-1)
    target = (draws * cumulative[:, -1])[:, None]
    place = torch.searchsorted(cumulative, target, right=True).clamp_(max=int(cumulative.shape[1]) - 1)
    return ids.gather(1, place)[:, 0]


def descending(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Values >= 0 (rows, V) in float32, sorted as by `sort(descending=True, stable=True)`, and their ids.

    On a CPU numpy sorts integers made of a value's bits and its id (bits of positive floats have the order of the
    floats): a seventh of the time of PyTorch's stable sort.
    """
    if probabilities.device.type != "cpu":
        return probabilities.sort(dim=-1, descending=True, stable=True)
    bits = probabilities.contiguous().numpy().view(np.uint32)
    keys = (~bits).astype(np.uint64) << np.uint64(32) | np.arange(bits.shape[1], dtype=np.uint64)
    keys.sort(axis=-1)
    ids = torch.from_numpy((keys & np.uint64(0xFFFFFFFF)).astype(np.int64))
    return probabilities.gather(1, ids), ids
