"""The Llama network, top to bottom, on plain torch.

Parameter names are Hugging Face's (`model.layers.0.self_attn.q_proj.weight`), so a checkpoint
folder loads with `strict=True` and needs no conversion. Shapes in docstrings: B sequences,
T positions, D `hidden_size`, H query heads, K key/value heads, h `head_dim`, V `vocab_size`.
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llemma.core.errors import DataError

PLAIN_ATTENTION_POSITIONS = 384


class LlamaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The part of Hugging Face's `config.json` that defines the computation.

    Field names and defaults are those of transformers' `LlamaConfig`.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int = 2048
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    tie_word_embeddings: bool = False
    initializer_range: float = 0.02
    head_dim: int = 0

    def __post_init__(self) -> None:
        if self.head_dim == 0:
            msgspec.structs.force_setattr(self, "head_dim", self.hidden_size // self.num_attention_heads)
        if self.num_attention_heads % self.num_key_value_heads:
            raise DataError(
                f"{self.num_attention_heads} query heads cannot share {self.num_key_value_heads} key/value heads",
                where="num_attention_heads, num_key_value_heads",
                mend="make the number of query heads a multiple of the number of key/value heads",
            )


class RMSNorm(nn.Module):
    """`x / rms(x) * weight` over the last dimension; the mean square is taken in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.eps)


def rope_table(positions: int, head_dim: int, theta: float, device: torch.device | None = None) -> Tensor:
    """Cosines and sines of the rotary angles, (2, positions, head_dim), float32 (RoFormer, section 3.4.2)."""
    inverse = theta ** (-torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(positions, device=device, dtype=torch.float32), inverse)
    angles = torch.cat([angles, angles], dim=-1)
    return torch.stack([angles.cos(), angles.sin()])


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Turn pairs (i, i + h/2) of `x` (..., T, h) by the angles in `rope` (2, T, h)."""
    cos, sin = rope[0].to(x.dtype), rope[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def causal_mask(start: int, length: int, device: torch.device) -> Tensor:
    """(1, 1, length, start + length), True where query `start + i` may look: at all positions up to its own.

    PyTorch's own `is_causal` would align the queries with the first keys instead of the last.
    """
    queries = torch.arange(start, start + length, device=device)
    return (torch.arange(start + length, device=device)[None] <= queries[:, None])[None, None]


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
        self.q_proj = nn.Linear(d, config.num_attention_heads * h, bias=False)
        self.k_proj = nn.Linear(d, config.num_key_value_heads * h, bias=False)
        self.v_proj = nn.Linear(d, config.num_key_value_heads * h, bias=False)
        self.o_proj = nn.Linear(config.num_attention_heads * h, d, bias=False)

    def forward(self, x: Tensor, rope: Tensor, mask: Tensor | None, cache: KVCache | None, start: int) -> Tensor:
        """(B, T, D) -> (B, T, D). `mask` (B, 1, T, S) is True where a query may look; None means causal."""
        batch, length, _ = x.shape
        heads = (batch, length, -1, self.config.head_dim)
        q = rotate(self.q_proj(x).view(heads).transpose(1, 2), rope)
        k = rotate(self.k_proj(x).view(heads).transpose(1, 2), rope)
        v = self.v_proj(x).view(heads).transpose(1, 2)
        if cache is not None:
            k, v = cache.append(start, k, v)
        y = attend(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).reshape(batch, length, -1))  # type: ignore[no-any-return]


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Softmax attention: q (B, H, T, h), k and v (B, K, S, h), mask (B or 1, 1, T, S) or None for causal; (B, H, T, h).

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
        self.gate_proj = nn.Linear(d, f, bias=False)
        self.up_proj = nn.Linear(d, f, bias=False)
        self.down_proj = nn.Linear(f, d, bias=False)

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

    def forward(self, x: Tensor, rope: Tensor, mask: Tensor | None, cache: KVCache | None, start: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rope, mask, cache, start)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """Embedding, layers and final norm; lives under the name `model` as in Hugging Face checkpoints."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Llama(nn.Module):
    """Token ids in, next-token logits (or a loss) out.

    `config` sets the sizes; weights start as Llama's do, normal with `initializer_range`, the two projections into the
    residual stream scaled down by sqrt(2 * layers) (GPT-2, section 2.3).
    """

    rope: Tensor

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        rope = rope_table(config.max_position_embeddings, config.head_dim, config.rope_theta)
        self.register_buffer("rope", rope, persistent=False)

    def finish_loading(self) -> None:
        """After weights were assigned to a model on the meta device: tie what is tied, compute what is computed."""
        if self.config.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        c = self.config
        self.rope = rope_table(c.max_position_embeddings, c.head_dim, c.rope_theta)
        for weight in self.parameters():
            weight.requires_grad_(True)

    def init_weights(self, seed: int) -> Llama:
        """Draw all weights anew from `seed`; returns the model itself."""
        generator = torch.Generator().manual_seed(seed)
        std = self.config.initializer_range
        residual = std / (2 * self.config.num_hidden_layers) ** 0.5
        for name, weight in self.named_parameters():
            if weight.dim() == 1:
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

        `positions` (B, T) overrides the default start..start+T-1 (left-padded batches);
        `caches`, one a layer, hold the keys and values of the `start` positions before.
        """
        rope = self.rope[:, start : start + ids.shape[1]] if positions is None else self.rope[:, positions].unsqueeze(2)
        if mask is None and start:
            mask = causal_mask(start, ids.shape[1], ids.device)
        x = self.model.embed_tokens(ids)
        for index, layer in enumerate(self.model.layers):
            x = layer(x, rope, mask, caches[index] if caches is not None else None, start)
        return self.model.norm(x)  # type: ignore[no-any-return]

    def forward(self, ids: Tensor, **where: Any) -> Tensor:
        """Ids (B, T) -> logits (B, T, V); keyword arguments as in `hidden`."""
        return self.lm_head(self.hidden(ids, **where))  # type: ignore[no-any-return]
