"""Continue token sequences, greedily or by sampling, many at a time with cached keys and values.

Each sample draws from its own stream of random numbers, named by its seed, so that a sample does not depend on which
others it was batched with (up to rounding of the logits).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
import torch
from torch import Tensor

from llemma.model.llama import KVCache, Llama


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


class _Row:
    """A sample in the making."""

    def __init__(self, seed: int) -> None:
        self.ids: list[int] = []
        self.logprob = 0.0
        self.finish: Literal["stop", "length"] = "length"
        self.uniform = np.random.default_rng(seed)


@torch.inference_mode()
def generate(
    model: Llama,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    eos: int,
    stopped: Callable[[list[int]], bool] = lambda ids: False,
) -> list[list[Generated]]:
    """For prompt i, one sample for each seed in `seeds[i]`; `stopped(new ids)` ends a sample after its last token.

    Prompts must leave room for `max_tokens` within `max_position_embeddings`; the prompt is computed once for all its
    samples. Prompts of unequal length are padded on the left and masked.
    """
    rows = [[_Row(seed) for seed in own] for own in seeds]
    flat = [row for own in rows for row in own]
    state = _State(model, prompts, [len(own) for own in seeds], sampling.max_tokens)
    live = flat
    for step in range(sampling.max_tokens):
        tokens, logprobs = _choose(state.logits, live, sampling)
        going = []
        for index, (row, token, logprob) in enumerate(zip(live, tokens, logprobs, strict=True)):
            if _extend(row, token, logprob, eos, stopped):
                going.append(index)
        if not going or step + 1 == sampling.max_tokens:
            break
        state.advance(tokens, going)
        live = [live[index] for index in going]
    return [[Generated(row.ids, row.logprob, row.finish) for row in own] for own in rows]


def _extend(row: _Row, token: int, logprob: float, eos: int, stopped: Callable[[list[int]], bool]) -> bool:
    """Add a token to a sample; False when that ends it."""
    row.logprob += logprob
    if token == eos:
        row.finish = "stop"
        return False
    row.ids.append(token)
    if stopped(row.ids):
        row.finish = "stop"
        return False
    return True


def _choose(logits: Tensor, rows: list[_Row], sampling: Sampling) -> tuple[list[int], list[float]]:
    """Next token and its log-probability for each row of `logits` (rows, V)."""
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    if sampling.temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        draws = torch.tensor([row.uniform.random() for row in rows], device=logits.device)
        tokens = nucleus(logits.float() / sampling.temperature, sampling.top_p, draws)
    return tokens.tolist(), logprobs.gather(1, tokens[:, None])[:, 0].tolist()


def nucleus(logits: Tensor, top_p: float, draws: Tensor) -> Tensor:
    """Sample one id a row from `logits` (rows, V) by inverse transform of `draws` (rows,) in [0, 1).

    Only the most probable ids that together reach `top_p` can be drawn; the most probable one always can.
    """
    probabilities, ids = torch.softmax(logits, dim=-1).sort(dim=-1, descending=True, stable=True)
    before = probabilities.cumsum(dim=-1) - probabilities
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    probabilities[:, 0].clamp_(min=1e-12)
    cumulative = probabilities.cumsum(dim=-1)
    target = (draws * cumulative[:, -1])[:, None]
    place = torch.searchsorted(cumulative, target, right=True).clamp_(max=int(logits.shape[1]) - 1)
    return ids.gather(1, place)[:, 0]


class _State:
    """Keys, values and last logits of all live samples."""

    def __init__(self, model: Llama, prompts: Sequence[Sequence[int]], samples: Sequence[int], room: int) -> None:
        self.model = model
        weight = model.model.embed_tokens.weight
        self.length = max(len(prompt) for prompt in prompts)
        ids = torch.zeros(len(prompts), self.length, dtype=torch.long, device=weight.device)
        self.padding = torch.tensor([self.length - len(prompt) for prompt in prompts], device=weight.device)
        for row, prompt in enumerate(prompts):
            ids[row, self.length - len(prompt) :] = torch.tensor(prompt)
        capacity = self.length + room
        self.caches = [
            KVCache(len(prompts), model.config, capacity, weight.dtype, weight.device) for _ in model.model.layers
        ]
        self.logits = self._forward(ids, 0)
        repeats = torch.repeat_interleave(torch.arange(len(prompts)), torch.tensor(samples)).to(weight.device)
        self._keep(repeats)

    def _forward(self, ids: Tensor, start: int) -> Tensor:
        """Feed ids (rows, T) that stand at `start`; returns the logits after the last (rows, V)."""
        places = torch.arange(start, start + ids.shape[1], device=ids.device)
        positions = (places[None] - self.padding[:, None]).clamp(min=0)
        seen = torch.arange(start + ids.shape[1], device=ids.device)
        mask = (seen[None, None] <= places[None, :, None]) & (seen[None, None] >= self.padding[:, None, None])
        mask = mask | (seen[None, None] == places[None, :, None])  # a padded query sees itself: no empty softmax
        hidden = self.model.hidden(ids, mask=mask[:, None], positions=positions, caches=self.caches, start=start)
        return self.model.lm_head(hidden[:, -1])  # type: ignore[no-any-return]

    def advance(self, tokens: list[int], going: list[int]) -> None:
        """Go on with the rows `going`, each with its new token."""
        chosen = torch.tensor(tokens, device=self.logits.device)[going]
        if len(going) < len(self.padding):
            self._keep(torch.tensor(going, device=self.logits.device))
        self.logits = self._forward(chosen[:, None], self.length)
        self.length += 1

    def _keep(self, rows: Tensor) -> None:
        self.padding, self.logits = self.padding[rows], self.logits[rows]
        for cache in self.caches:
            cache.keys, cache.values = cache.keys[rows], cache.values[rows]
