"""Matrix products of eight bits: both factors of a product are scaled by one number each and rounded to float8.

Values and weights are e4m3 (largest 448), gradients e5m2 (largest 57,344), as in Micikevicius et al., arXiv
2209.05433, sections 2 and 3. Scales are taken anew from the largest entry each time ("dynamic, tensor-wise").
Weights and sums keep their precision, and a checkpoint knows nothing of it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from llemma.core.errors import RecipeError
from llemma.model.llama import Linear, Llama

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2
MULTIPLE = 16
"""Sizes of the factors are multiples of this (cuBLASLt)."""
CAPABILITY = (8, 9)
"""The first NVIDIA architecture that multiplies float8: Ada, Hopper."""


def check(device: torch.device) -> None:
    """Refuse a device that cannot multiply float8, with `RecipeError`."""
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= CAPABILITY:
        return
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU"
    raise RecipeError(
        f"{name} cannot multiply float8",
        where="train precision",
        mend="use precision = 'bf16', or a GPU with compute capability 8.9 or newer (L40S, H100, H200, B200)",
    )


def quantised(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """`x` in float8, and the number by which it must be multiplied, float32, to mean `x` again."""
    most = torch.finfo(dtype).max
    scale = most / x.abs().max().float().clamp(min=1e-12)
    return (x.float() * scale).clamp(-most, most).to(dtype), scale.reciprocal()


def product(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor], out: torch.dtype) -> Tensor:
    """(N, K) times the transpose of (M, K), both as `quantised` returns them: (N, M) in `out`."""
    (left, by), (right, other) = a, b
    found: Any = torch._scaled_mm(left, right.t(), scale_a=by, scale_b=other, out_dtype=out)
    return found  # type: ignore[no-any-return]


class _Product(torch.autograd.Function):
    """`x @ weight.T` and its two gradients, each a product of float8 factors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, out: torch.dtype) -> Tensor:
        rows, columns = quantised(x, E4M3), quantised(weight, E4M3)
        ctx.save_for_backward(*rows, *columns)
        ctx.kinds = x.dtype, weight.dtype
        return product(rows, columns, out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        rows, by, columns, other = ctx.saved_tensors
        grad, scale = quantised(grads[0], E5M2)
        of_rows, of_weight = ctx.kinds
        by_rows = product((grad, scale), (columns.t().contiguous(), other), of_rows)
        # sums over all tokens of a batch: written in the weight's precision, at least bfloat16
        by_weight = product((grad.t().contiguous(), scale), (rows.t().contiguous(), by), of_weight)
        return by_rows, by_weight, None


class Float8Linear(Linear):
    """A linear layer that multiplies float8; its weights are those of `Linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., M), bfloat16."""
        flat = x.flatten(0, -2)
        if len(flat) % MULTIPLE:
            return F.linear(x, self.weight, self.bias)
        y: Tensor = _Product.apply(flat, self.weight, torch.bfloat16)  # type: ignore[no-untyped-call]
        y = y.view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias.to(y.dtype)


def convert(model: Llama) -> int:
    """Let the inner layers' projections multiply float8; returns how many do.

    The first and the last layer, embedding and output matrix keep 16 bits: they are sensitive, and a small part.
    """
    count = 0
    for block in list(model.blocks)[1:-1]:
        for part in block.modules():
            if isinstance(part, Linear) and not (part.in_features % MULTIPLE or part.out_features % MULTIPLE):
                part.__class__ = Float8Linear
                count += 1
    return count
