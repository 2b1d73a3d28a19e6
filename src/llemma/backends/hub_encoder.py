"""An encoder-decoder model (T5 and its kind) as a network for `model/decode`: the prompt goes to the encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from llemma.model.decode import State


def states(model: PreTrainedModel) -> tuple[Callable[[Sequence[Sequence[int]], Sequence[int]], State], str]:
    """What makes a batch's state from its prompts and their numbers of samples; nothing is to be said about it."""
    return lambda prompts, samples: EncoderState(model, prompts, samples), ""


class EncoderState:
    """Rows of a decoder, each with what the encoder made of its prompt (once for all its samples); see `State`."""

    def __init__(self, model: PreTrainedModel, prompts: Sequence[Sequence[int]], samples: Sequence[int]) -> None:
        self.model = model
        ids, mask = _padded(prompts, model.device)
        encoder: Any = model.get_encoder()
        seen = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        spread = torch.tensor([at for at, count in enumerate(samples) for _ in range(count)], device=model.device)
        self.seen, self.mask = seen[spread], mask[spread]
        self.cache = EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))
        self.logits = self._forward([_start(model)] * len(spread))

    def advance(self, tokens: list[int], rows: list[int]) -> None:
        """See `State`."""
        if rows != list(range(len(self.mask))):
            index = torch.tensor(rows, device=self.mask.device)
            self.cache.batch_select_indices(index)
            self.seen, self.mask = self.seen[index], self.mask[index]
        self.logits = self._forward(tokens)

    def _forward(self, tokens: list[int]) -> Tensor:
        found = self.model(
            encoder_outputs=(self.seen,),
            attention_mask=self.mask,
            decoder_input_ids=torch.tensor(tokens, device=self.mask.device)[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        logits: Tensor = found.logits[:, -1]
        return logits


def _start(model: PreTrainedModel) -> int:
    """The token that every answer begins with."""
    config = model.generation_config
    found = config.decoder_start_token_id if config is not None else None
    return int(found if found is not None else model.config.decoder_start_token_id)


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """`rows` as ids (B, T), filled on the right with zeros as encoders are trained, and a mask of what is there."""
    width = max(map(len, rows))
    ids = torch.tensor([list(row) + [0] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask
