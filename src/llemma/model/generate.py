"""Continue token sequences with our own Llama, greedily or by sampling, many at a time with cached keys and values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from llemma.core.errors import DataError
from llemma.model.cache import LayerCache
from llemma.model.decode import Forward, Prefix, SharedState, decode
from llemma.model.llama import Attention, Llama
from llemma.model.sampling import Generated, Row, Sampling, nucleus

__all__ = ["Generated", "Sampling", "generate", "nucleus", "prefix_of"]


@torch.inference_mode()
def generate(
    model: Llama,
    prompts: Sequence[Sequence[int]],
    seeds: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    eos: Collection[int],
    stopped: Callable[[list[int]], bool] = lambda ids: False,
    prefix: Prefix | None = None,
) -> list[list[Generated]]:
    """For prompt i, one sample for each seed in `seeds[i]`; one of `eos` ends a sample, and `stopped(new ids)` does
    after its last token.

    Prompts must leave room for `max_tokens` within `max_position_embeddings`. What all prompts begin with is computed
    once, or not at all where `prefix` (see `prefix_of`) has it from the call before; each prompt is computed once for
    all its samples.
    """
    prefix = prefix or prefix_of(model)
    state = SharedState(prefix.forward, prefix, prompts, [len(own) for own in seeds])
    made = iter(decode(state, [Row(seed) for own in seeds for seed in own], sampling, eos, stopped))
    return [[next(made) for _ in own] for own in seeds]


def prefix_of(model: Llama) -> Prefix:
    """An empty prefix of `model`, to be given to calls of `generate` one after the other."""
    return Prefix(forward_of(model), model.config.num_hidden_layers, model.model.embed_tokens.weight.device)


def forward_of(model: Llama) -> Forward:
    """The computation of `model` on caches with a shared prefix; a sliding window that would matter is refused."""

    window = model.config.sliding_window

    def forward(ids: Tensor, positions: Tensor, mask: Tensor | None, caches: list[LayerCache]) -> Tensor:
        if window and caches[0].end + ids.shape[1] > window:
            raise DataError(
                f"generation beyond the sliding window of {window} tokens is not built",
                where="sliding_window",
                mend=f"keep prompt and answer within {window} tokens, or ask the folder as hf:FOLDER",
            )
        x = model.model.embed_tokens(ids)
        rope = model.rotary(positions)
        for layer, cache in zip(model.blocks, caches, strict=True):
            x = x + _attention(layer.self_attn, layer.input_layernorm(x), rope, mask, cache)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return model.lm_head(model.model.norm(x[:, -1]))  # type: ignore[no-any-return]

    return forward


def _attention(layer: Attention, x: Tensor, rope: Tensor, mask: Tensor | None, cache: LayerCache) -> Tensor:
    """`Attention.forward` with a `LayerCache`: (B, T, D) -> (B, T, D)."""
    q, k, v = layer.heads(x, rope)
    cache.append(k, v)
    y = cache.attend(q, mask)
    return layer.o_proj(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
