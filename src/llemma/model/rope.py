"""Rotary positions: what is turned by which angle, with every scaling that the configs of our families can name.

Pair i of a head of width h turns by `position * frequency[i]`. A scaling changes the frequencies, so that positions
beyond those of the pretraining meet angles that the network knows; YaRN also makes all turned vectors longer.
The order of operations is that of transformers (`modeling_rope_utils.py`), so that the frequencies are
equal to the last bit (`dynamic`: to float32's rounding).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from llemma.model.llama_config import LlamaConfig, RopeScaling


def plain(theta: float, width: int) -> Tensor:
    """Frequencies (h/2,) of RoFormer, section 3.2.2: `theta ** (-2 i / h)`."""
    return 1.0 / (theta ** (torch.arange(0, width, 2, dtype=torch.float32, device="cpu") / width))


def linear(config: LlamaConfig, scaling: RopeScaling) -> Tensor:
    """All frequencies divided by the factor (position interpolation, arXiv 2306.15595, section 2.3)."""
    return plain(config.rope_theta, config.head_dim) / scaling.factor


def llama3(config: LlamaConfig, scaling: RopeScaling) -> Tensor:
    """Long waves are stretched by the factor, short ones kept, those between interpolated.

    Llama 3.1's own code (`apply_scaling` in meta-llama/llama-models); transformers `_compute_llama3_parameters`.
    """
    frequency, length = plain(config.rope_theta, config.head_dim), scaling.original_max_position_embeddings
    wave = 2 * math.pi / frequency
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    keep = (length / wave - low) / (high - low)
    between = (1 - keep) * frequency / scaling.factor + keep * frequency
    stretched = torch.where(wave > length / low, frequency / scaling.factor, between)
    return torch.where(wave < length / high, frequency, stretched)


def yarn(config: LlamaConfig, scaling: RopeScaling) -> Tensor:
    """Pairs that turn often within the original length are kept, those that turn rarely are stretched by the factor.

    YaRN, arXiv 2309.00071, section 3.2 ("NTK-by-parts"), with its bounds `beta_fast` and `beta_slow` in turns.
    """
    width, base = config.head_dim, config.rope_theta

    def pair(turns: float) -> float:  # the (fractional) pair that makes so many turns
        length = scaling.original_max_position_embeddings
        return (width * math.log(length / (turns * 2 * math.pi))) / (2 * math.log(base))

    low, high = pair(scaling.beta_fast), pair(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    if low == high:
        high += 0.001
    ramp = ((torch.arange(width // 2, dtype=torch.float32, device="cpu") - low) / (high - low)).clamp(0, 1)
    keep = 1 - ramp
    powers = base ** (torch.arange(0, width, 2, dtype=torch.float32, device="cpu") / width)
    return 1.0 / (scaling.factor * powers) * (1 - keep) + 1.0 / powers * keep


def yarn_length(scaling: RopeScaling) -> float:
    """By which turned queries and keys are multiplied, so that attention keeps its temperature.

    arXiv 2309.00071, section 3.3: `0.1 ln(factor) + 1`; `mscale` as in DeepSeek V2 (transformers
    `_compute_yarn_parameters`).
    """

    def of(scale: float = 1.0) -> float:
        return 1.0 if scaling.factor <= 1 else 0.1 * scale * math.log(scaling.factor) + 1.0

    if scaling.attention_factor is not None:
        return scaling.attention_factor
    if scaling.mscale and scaling.mscale_all_dim:
        return of(scaling.mscale) / of(scaling.mscale_all_dim)
    return of()


def dynamic(config: LlamaConfig, scaling: RopeScaling, length: int) -> Tensor:
    """A larger base for a sequence longer than `max_position_embeddings` ("dynamic NTK"; arXiv 2309.00071, appendix B).

    Transformers keeps the base of the longest sequence so far; here it depends on the `length` at hand alone.
    """
    longer = max(length, config.max_position_embeddings) / config.max_position_embeddings
    width = config.head_dim
    grown = (scaling.factor * longer) - (scaling.factor - 1)
    return plain(config.rope_theta * grown ** (width / (width - 2)), width)


BY_TYPE: dict[str, Callable[[LlamaConfig, RopeScaling], Tensor]] = {"linear": linear, "llama3": llama3, "yarn": yarn}


def frequencies(config: LlamaConfig, length: int = 0) -> Tensor:
    """Frequencies (h/2,), float32 on the CPU, for a sequence of `length` positions (only `dynamic` looks at it)."""
    scaling = config.rope_scaling
    if scaling is None:
        return plain(config.rope_theta, config.head_dim)
    if scaling.rope_type == "dynamic":
        return dynamic(config, scaling, length)
    return BY_TYPE[scaling.rope_type](config, scaling)


class Rotary(nn.Module):
    """Positions in, cosines and sines of their angles out.

    The frequencies are no weights: they stay float32 when the network is cast, and real where it is built on the meta
    device.
    """

    frequency: Tensor

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        scaling = config.rope_scaling
        self.dynamic = scaling is not None and scaling.rope_type == "dynamic"
        self.length = yarn_length(scaling) if scaling is not None and scaling.rope_type == "yarn" else 1.0
        self.register_buffer("frequency", frequencies(config), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Follow the network to another device, but not into another precision."""
        moved = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.frequency = frequencies(self.config).to(self.frequency.device)
        return moved

    def forward(self, positions: Tensor) -> Tensor:
        """Positions (T,) or (B, T) -> (2, T, h) or (2, B, 1, T, h), float32, for `rotate`."""
        frequency = self.frequency
        if self.dynamic:
            frequency = frequencies(self.config, int(positions.max()) + 1).to(positions.device)
        angles = positions[..., None].float() * frequency
        angles = torch.cat([angles, angles], dim=-1)
        table = torch.stack([angles.cos(), angles.sin()]) * self.length
        return table if positions.dim() == 1 else table.unsqueeze(2)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Turn pairs (i, i + h/2) of `x` (..., T, h) by the angles in `rope`, see `Rotary`."""
    cos, sin = rope[0].to(x.dtype), rope[1].to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
