"""Beam search: the most probable continuations of each prompt that a search of a given width finds.

The search is that of transformers with `num_beams = num_return_sequences = width`, `length_penalty = 0` and
`early_stopping = False`: what is compared is the summed log-probability, the end token's included, without regard to
length. Since it can only fall, a prompt is done, without anything being missed, when `width` continuations have ended
and no live one is more probable than the least of them. Continuations are of tokens: two may spell the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import torch
from torch import Tensor

from llemma.model.decode import State
from llemma.model.sampling import Generated

DEAD = float("-inf")


class _Beam(NamedTuple):
    ids: list[int]
    logprob: float
    row: int
    """Of the state, in which its last token but one is."""


class _Search:
    """The search below one prompt."""

    def __init__(self, width: int, eos: Collection[int], stopped: Callable[[list[int]], bool]) -> None:
        self.width, self.eos, self.stopped = width, eos, stopped
        # as in transformers: enough that `width` go on though each live beam may end in every end token
        self.candidates = width * (1 + max(1, len(eos)))
        self.live = [_Beam([], 0.0, 0)] + [_Beam([], DEAD, 0)] * (width - 1)
        self.ended: list[Generated] = []

    def step(self, logprobs: Tensor) -> bool:
        """One token more; `logprobs` (width, V) are those of the live beams. Whether the search goes on."""
        scores = logprobs + torch.tensor([beam.logprob for beam in self.live], device=logprobs.device)[:, None]
        found = scores.flatten().topk(min(self.candidates, scores.numel()))
        going: list[_Beam] = []
        for rank, (score, place) in enumerate(zip(found.values.tolist(), found.indices.tolist(), strict=True)):
            if score == DEAD or len(going) == self.width:
                break
            row, token = divmod(place, logprobs.shape[1])
            ids = [*self.live[row].ids, token]
            if token not in self.eos and not self.stopped(ids):
                going.append(_Beam(ids, score, row))
            elif rank < self.width:
                self.ended.append(Generated(ids[:-1] if token in self.eos else ids, score, "stop"))
        self.ended = sorted(self.ended, key=lambda one: -one.logprob)[: self.width]
        self.live = going + [_Beam(going[0].ids, DEAD, going[0].row)] * (self.width - len(going)) if going else []
        full = len(self.ended) == self.width
        return bool(going) and not (full and self.ended[-1].logprob >= going[0].logprob)

    def best(self) -> list[Generated]:
        """At most `width` continuations, the most probable first; live ones have come to the end of their budget."""
        live = [Generated(beam.ids, beam.logprob, "length") for beam in self.live if beam.logprob != DEAD]
        return sorted([*self.ended, *live], key=lambda one: -one.logprob)[: self.width]


def search(
    state: State,
    prompts: int,
    width: int,
    max_tokens: int,
    eos: Collection[int],
    stopped: Callable[[list[int]], bool] = lambda ids: False,
) -> list[list[Generated]]:
    """The continuations of each prompt; `state` has `width` rows for each of `prompts`, one after the other.

    `stopped(new ids)` ends a continuation after its last token. Prompts that are done leave the batch.
    """
    searches = [_Search(width, eos, stopped) for _ in range(prompts)]
    going = searches
    for step in range(max_tokens):
        logprobs = state.logits.float().log_softmax(dim=-1).view(len(going), width, -1)
        more = [each.step(own) for each, own in zip(going, logprobs, strict=True)]
        if step + 1 == max_tokens or not any(more):
            break
        kept = [at for at, goes_on in enumerate(more) if goes_on]
        rows = [at * width + beam.row for at in kept for beam in going[at].live]
        tokens = [beam.ids[-1] for at in kept for beam in going[at].live]
        going = [going[at] for at in kept]
        state.advance(tokens, rows)
    return [each.best() for each in searches]
