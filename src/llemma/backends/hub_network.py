"""A transformers model as a network for `model/decode`: with a shared prefix where its attention allows, else without.

Only transformers' public places are used: a cache made of layers, an attention function by name, `forward`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from llemma.model.cache import LayerCache
from llemma.model.decode import PIECE, Forward, Prefix, SharedState, State, padded

NAME = "llemma_shared_prefix"
UNKNOWN = (
    "softcap",
    "s_aux",
    "position_bias",
    "head_mask",
)  # what some attentions add and `LayerCache.attend` does not


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer of transformers' cache that keeps what it is given in a `LayerCache`, and hands that to `_attention`."""

    def __init__(self, cache: LayerCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = cache
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> Any:
        self.held.append(key_states, value_states)
        return self.held, self.held

    def get_seq_length(self) -> int:
        return self.held.end

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.held.end + query_length, 0


def _attention(
    module: torch.nn.Module, query: Tensor, key: Any, value: Any, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """transformers' attention interface: queries (B, H, T, h) -> (B, T, H, h)."""
    if not isinstance(key, LayerCache):  # without a cache, as in scoring
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    foreign = [name for name in UNKNOWN if options.get(name) is not None]
    if foreign:
        raise NotImplementedError(f"attention with {', '.join(foreign)}")
    return key.attend(query, attention_mask, options.get("scaling")).transpose(1, 2).contiguous(), None


def states(model: PreTrainedModel) -> tuple[Callable[[Sequence[Sequence[int]], Sequence[int]], State], str]:
    """What makes a batch's state from its prompts and their numbers of samples; and why it shares no prefix, if so.

    Sharing is tried out on a few tokens, so that a model whose attention is of another kind is computed the plain way
    instead of wrongly.
    """

    def plain(prompts: Sequence[Sequence[int]], samples: Sequence[int]) -> State:
        return PlainState(model, prompts, samples)

    why = _obstacle(model)
    if why:
        return plain, why
    wanted = _by_itself(model)
    before = model.config._attn_implementation
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    prefix = Prefix(_forward(model), len(DynamicCache(config=model.config).layers), model.device)
    try:
        if _agrees(prefix, wanted):
            return lambda prompts, samples: SharedState(prefix.forward, prefix, prompts, samples), ""
        why = "its results differ when the beginning is shared"
    except Exception as error:  # a model's own code may refuse in any way
        why = f"{type(error).__name__}: {error}"
    model.set_attn_implementation(before)
    return plain, why


def _obstacle(model: PreTrainedModel) -> str:
    if model.config._attn_implementation != "sdpa":
        return f"its attention is '{model.config._attn_implementation}'"
    if any(type(layer) is not DynamicLayer for layer in DynamicCache(config=model.config).layers):
        return "some of its layers do not see the whole text"
    if not {"position_ids", "logits_to_keep"} <= set(inspect.signature(model.forward).parameters):
        return "its positions cannot be given"
    return ""


def _forward(model: PreTrainedModel) -> Forward:
    def forward(ids: Tensor, positions: Tensor, mask: Tensor | None, caches: list[LayerCache]) -> Tensor:
        found = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=Cache(layers=[_Layer(cache) for cache in caches]),
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = found.logits[:, -1]
        return logits

    return forward


_BEGIN = list(range(1, PIECE + 1))
_TRIED = ([*_BEGIN, 4, 5, 6], [*_BEGIN, 7])  # a shared beginning and tails of unequal length
_NEXT = 2


def _by_itself(model: PreTrainedModel) -> Tensor:
    """Logits after the prompts of `_TRIED`, then after one token more, each text computed alone and without a cache."""
    size = model.config.get_text_config(decoder=True).vocab_size
    texts = [[token % size for token in (*prompt, *more)] for more in ((), (_NEXT,)) for prompt in _TRIED]
    with torch.inference_mode():
        found = [model(input_ids=torch.tensor([text], device=model.device)).logits[0, -1] for text in texts]
    return torch.stack(found).float()


def _agrees(prefix: Prefix, wanted: Tensor) -> bool:
    """Whether `SharedState` gives the logits `wanted` of `_by_itself`, up to rounding."""
    size = wanted.shape[1]
    with torch.inference_mode():
        state = SharedState(prefix.forward, prefix, [[token % size for token in prompt] for prompt in _TRIED], [1, 1])
        first = state.logits
        exact = first.dtype == torch.float32
        state.advance([_NEXT % size] * 2, [0, 1])
    found = torch.cat([first, state.logits]).float()
    limit = (1e-3 if exact else 0.2) * float(wanted.std())
    return bool((found - wanted).abs().max() <= limit)


class PlainState:
    """Rows in transformers' own cache, prompts padded on the left; see `State`.

    Each prompt is computed once for all its samples where the cache can pick rows; else once for each, and rows that
    have ended stay in the batch.
    """

    def __init__(self, model: PreTrainedModel, prompts: Sequence[Sequence[int]], samples: Sequence[int]) -> None:
        self.model = model
        self.takes = set(inspect.signature(model.forward).parameters)
        self.cache = DynamicCache(config=model.config)
        self.picks = all(hasattr(layer, "batch_select_indices") for layer in self.cache.layers)
        spread = [at for at, count in enumerate(samples) for _ in range(count)]
        ids, padding = padded(prompts if self.picks else [prompts[at] for at in spread], model.device)
        self.mask = (torch.arange(ids.shape[1], device=model.device) >= padding[:, None]).long()
        self.places = list(range(len(spread)))
        self.logits = self._forward(ids)
        if self.picks:
            self._pick(spread)

    def advance(self, tokens: list[int], rows: list[int]) -> None:
        """See `State`."""
        if self.picks:
            if rows != list(range(len(self.mask))):
                self._pick(rows)
            self.places = list(range(len(rows)))
        else:
            self.places = [self.places[row] for row in rows]
        ids = torch.zeros(len(self.mask), 1, dtype=torch.long)
        ids[self.places, 0] = torch.tensor(tokens)
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.logits = self._forward(ids.to(self.mask.device))[self.places]

    def _pick(self, rows: list[int]) -> None:
        index = torch.tensor(rows)
        self.cache.batch_select_indices(index)
        self.mask, self.logits = self.mask[index], self.logits[index]

    def _forward(self, ids: Tensor) -> Tensor:
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        wanted = {"position_ids": positions, "logits_to_keep": 1}
        found = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            past_key_values=self.cache,
            use_cache=True,
            **{name: value for name, value in wanted.items() if name in self.takes},
        )
        logits: Tensor = found.logits[:, -1]
        return logits
