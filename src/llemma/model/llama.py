"""The Llama network, top to bottom, on plain torch.

Parameter names are Hugging Face's (`model.layers.0.self_attn.q_proj.weight`), so a checkpoint
folder loads with `strict=True` and needs no conversion. Shapes in docstrings: B sequences,
T positions, D `hidden_size`, H query heads, K key/value heads, h `head_dim`, V `vocab_size`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llemma.model import packing
from llemma.model.llama_config import LlamaConfig
from llemma.model.rope import Rotary, rotate

__all__ = ["KVCache", "Llama", "LlamaConfig", "attend", "causal_mask"]

PLAIN_ATTENTION_POSITIONS = 384


class Linear(nn.Linear):
    """Drawn at random only where there are numbers: "drawing" on the meta device imports a second of torch's code."""

    def reset_parameters(self) -> None:
        """See the class."""
        if not self.weight.is_meta:
            super().reset_parameters()


class Embedding(nn.Embedding):
    """As `Linear`."""

    def reset_parameters(self) -> None:
        """See `Linear`."""
        if not self.weight.is_meta:
            super().reset_parameters()


class RMSNorm(nn.Module):
    """`x / rms(x) * weight` over the last dimension; the mean square is taken in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def causal_mask(start: int, length: int, device: torch.device, window: int = 0) -> Tensor:
    """(1, 1, length, start + length), True where query `start + i` may look: at its own position and all before it, or
    at the last `window` of these.

    PyTorch's own `is_causal` would align the queries with the first keys instead of the last.
    """
    queries = torch.arange(start, start + length, device=device)[:, None]
    keys = torch.arange(start + length, device=device)[None]
    seen = keys <= queries
    return (seen & (keys > queries - window) if window else seen)[None, None]


class KVCache:
    """Keys and values of one layer for up to `capacity` positions, each (B, K, capacity, h)."""

    def __init__(
        self, batch: int, config: LlamaConfig, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (batch, config.num_key_value_heads, capacity, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)

    def append(self, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store keys and values (B, K, T, h) at `start` and return all up to their end."""
        end = start + keys.shape[2]
        self.keys[:, :, start:end] = keys
        self.values[:, :, start:end] = values
        return self.keys[:, :, :end], self.values[:, :, :end]


class Attention(nn.Module):
    """Causal self-attention with grouped queries and rotary positions."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        d, h = config.hidden_size, config.head_dim
        self.q_proj = Linear(d, config.num_attention_heads * h, bias=config.qkv_bias)
        self.k_proj = Linear(d, config.num_key_value_heads * h, bias=config.qkv_bias)
        self.v_proj = Linear(d, config.num_key_value_heads * h, bias=config.qkv_bias)
        self.o_proj = Linear(config.num_attention_heads * h, d, bias=config.o_bias)
        if config.qk_norm:
            self.q_norm = RMSNorm(h, config.rms_norm_eps)
            self.k_norm = RMSNorm(h, config.rms_norm_eps)

    def heads(self, x: Tensor, rope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, D) -> queries (B, H, T, h), keys and values (B, K, T, h); queries and keys are rotated."""
        shape = (*x.shape[:2], -1, self.config.head_dim)
        q, k, v = self.q_proj(x).view(shape), self.k_proj(x).view(shape), self.v_proj(x).view(shape)
        if self.config.qk_norm:
            q, k = self.q_norm(q), self.k_norm(k)
        return rotate(q.transpose(1, 2), rope), rotate(k.transpose(1, 2), rope), v.transpose(1, 2)

    def forward(self, x: Tensor, rope: Tensor, mask: Any, cache: KVCache | None, start: int) -> Tensor:
        """(B, T, D) -> (B, T, D). `mask` (B, 1, T, S) is True where a query may look; None means causal."""
        q, k, v = self.heads(x, rope)
        if cache is not None:
            k, v = cache.append(start, k, v)
        y = attend(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
    """Softmax attention: q (B, H, T, h), k and v (B, K, S, h), mask (B or 1, 1, T, S) or None for causal; (B, H, T, h).
    The mask may also be one of `model.packing`'s descriptions of documents.

    Short bfloat16 sequences on a CPU take the plain products: a whole training step is a tenth to a third shorter than
    with PyTorch's fused CPU kernel, which wins beyond some six hundred positions (bench/attention.py).
    """
    if (
        mask is None
        and q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.shape[2] <= PLAIN_ATTENTION_POSITIONS
    ):
        return plain_attention(q, k, v)
    if isinstance(mask, packing.Packed):
        return packing.packed_attention(q, k, v, mask)
    if mask is not None and not isinstance(mask, Tensor):
        return packing.flex(q, k, v, mask)
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)


def plain_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal `attend` as two batched products; scores have the inputs' precision, their softmax sums in float32."""
    batch, heads, length, width = q.shape
    keys = k.shape[1]
    hidden = torch.full((length, length), -torch.inf, dtype=q.dtype, device=q.device).triu(1)
    q = (q * width**-0.5).reshape(batch * keys, -1, width)  # the queries of a group share their keys
    scores = torch.bmm(q, k.reshape(batch * keys, length, width).transpose(1, 2)).view(batch, heads, length, length)
    weights = (scores + hidden).softmax(-1).view(batch * keys, -1, length)
    return torch.bmm(weights, v.reshape(batch * keys, length, width)).view(batch, heads, length, width)


class MLP(nn.Module):
    """SwiGLU: `down(silu(gate(x)) * up(x))`."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        d, f = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(d, f, bias=config.mlp_bias)
        self.up_proj = Linear(d, f, bias=config.mlp_bias)
        self.down_proj = Linear(f, d, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, rope: Tensor, mask: Any, cache: KVCache | None, start: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rope, mask, cache, start)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Embedding, layers and final norm; lives under the name `model` as in Hugging Face checkpoints."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """Token ids in, next-token logits out: Llama 2 and 3, Code Llama, Qwen 2 to 3 and Mistral, as `config` says.

    Weights start as Llama's do, normal with `initializer_range`, the two projections into the residual stream scaled
    down by sqrt(2 * layers) (GPT-2, section 2.3).
    """

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)
        self.rotary = Rotary(config)
        self.carried: dict[str, bytes] = {}
        """Small files of the checkpoint that it was loaded from; `weights.save` writes them again."""
        self.tie()

    def tie(self) -> None:
        """Let the output matrix be the embedding where the config says so (again, after weights were replaced)."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @property
    def blocks(self) -> Sequence[Layer]:
        """The layers: the units of sharding, of checkpointing activations and of compiling."""
        return cast(Sequence[Layer], self.model.layers)

    def init_weights(self, seed: int) -> Llama:
        """Draw all weights anew from `seed`; returns the model itself."""
        generator = torch.Generator().manual_seed(seed)
        std = self.config.initializer_range
        residual = std / (2 * self.config.num_hidden_layers) ** 0.5
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif weight.dim() == 1:
                nn.init.ones_(weight)
            else:
                into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, 0.0, residual if into_residual else std, generator=generator)
        return self

    def hidden(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        caches: list[KVCache] | None = None,
        start: int = 0,
    ) -> Tensor:
        """Ids (B, T) -> final hidden states (B, T, D).

        `mask` (B, 1, T, S), True where a query may look, replaces the causal one; `positions` (B, T) override the
        default start..start+T-1 (left-padded batches); `caches`, one a layer, hold the keys and values of the `start`
        positions before.
        """
        if positions is None:
            positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        rope = self.rotary(positions)
        masks = self._masks(mask, start, ids)
        x = self.model.embed_tokens(ids)
        for index, layer in enumerate(self.model.layers):
            cache = caches[index] if caches is not None else None
            x = layer(x, rope, masks[self.config.window(index)], cache, start)
        return self.model.norm(x)  # type: ignore[no-any-return]

    def _masks(self, mask: Tensor | None, start: int, ids: Tensor) -> dict[int, Tensor | None]:
        """What each of the layers' windows lets a query see; None is plain causal attention."""
        length, found = ids.shape[1], {}
        for window in {self.config.window(layer) for layer in range(self.config.num_hidden_layers)}:
            cut = window if window < start + length else 0
            seen = causal_mask(start, length, ids.device, cut) if cut or (start and mask is None) else None
            found[window] = mask if seen is None else seen if mask is None else seen & mask
        return found

    def forward(self, ids: Tensor, **where: Any) -> Tensor:
        """Ids (B, T) -> logits (B, T, V); keyword arguments as in `hidden`."""
        return self.lm_head(self.hidden(ids, **where))  # type: ignore[no-any-return]
