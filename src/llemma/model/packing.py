"""Attention within documents, where a window holds several.

On a GPU the documents of a batch lie end to end and PyTorch's variable-length kernel computes only what one of them
needs (`varlen_attn`; FlexAttention where that is missing). On a CPU a mask says it. Rotary positions need not start
anew: attention depends on their differences alone.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Way = Literal["mask", "varlen", "flex"]
LEAST = 64
"""Fewest entries of `Packed.ends`."""


class Packed(NamedTuple):
    """Documents end to end: document i takes the places `ends[i]` to before `ends[i + 1]` of all B * T; int32.

    The last entries repeat, so that the length is a power of two and compiled code meets few of them. `longest` is the
    length of the longest that there can be; `shares`: the kernel can share keys among queries.
    """

    ends: Tensor
    longest: int
    shares: bool


def way(device: torch.device, *, half: bool, slides: bool) -> Way:
    """How documents are kept apart on this device; `half`: in 16 bits, `slides`: with a sliding window besides."""
    if device.type != "cuda" or slides:
        return "mask"
    return "varlen" if half and has_varlen() else "flex"


@lru_cache
def has_varlen() -> bool:
    """Whether this PyTorch's `varlen_attn` is told by a window that it is causal (2.11 and newer)."""
    return "window_size" in _varlen_takes()


@lru_cache
def _varlen_takes() -> frozenset[str]:
    """The parameters of `varlen_attn`; none where PyTorch lacks it."""
    if importlib.util.find_spec("torch.nn.attention.varlen") is None:
        return frozenset()
    from torch.nn.attention.varlen import varlen_attn

    return frozenset(inspect.signature(varlen_attn).parameters)


def seen(documents: Tensor, device: torch.device, how: Way) -> Any:
    """What of `documents` (B, T), numbers from the left on, a query may look at, as `model.llama.attend` takes it."""
    if how == "varlen":
        return packed(documents, device)
    if how == "flex":
        return block_mask(documents.to(device, non_blocking=True))
    return document_mask(documents.to(device))


def document_mask(documents: Tensor) -> Tensor:
    """(B, T) document numbers -> (B, 1, T, T), True where a query may look: at its own document, up to itself."""
    places = torch.arange(documents.shape[1], device=documents.device)
    same = documents[:, None, :, None] == documents[:, None, None, :]
    return same & (places[None] <= places[:, None])


def packed(documents: Tensor, device: torch.device) -> Packed:
    """(B, T) document numbers, in main memory if nothing shall wait for a GPU, as places of their ends."""
    first = torch.ones_like(documents, dtype=torch.bool)
    first[:, 1:] = documents[:, 1:] != documents[:, :-1]
    starts = first.flatten().nonzero()[:, 0]
    size = LEAST
    while size < len(starts) + 1:
        size *= 2
    ends = torch.full((size,), documents.numel(), dtype=torch.int32, device=documents.device)
    ends[: len(starts)] = starts.to(torch.int32)
    return Packed(ends.to(device, non_blocking=True), documents.shape[1], "enable_gqa" in _varlen_takes())


def packed_attention(q: Tensor, k: Tensor, v: Tensor, where: Packed) -> Tensor:
    """Causal attention within documents: q (B, H, T, h), k and v (B, K, T, h) -> (B, H, T, h)."""
    from torch.nn.attention.varlen import varlen_attn

    one, two, three = (part.to(v.dtype).transpose(1, 2).flatten(0, 1) for part in (q, k, v))  # (B * T, heads, h)
    ends, longest, options = where.ends, where.longest, dict[str, Any]()
    if where.shares:
        options = {"enable_gqa": q.shape[1] != k.shape[1]}
    elif q.shape[1] != k.shape[1]:  # torch 2.11 wants keys for each query
        two, three = (part.repeat_interleave(q.shape[1] // k.shape[1], 1) for part in (two, three))
    found: Any = varlen_attn(one, two, three, ends, ends, longest, longest, window_size=(-1, 0), **options)
    return found.unflatten(0, (q.shape[0], -1)).transpose(1, 2)  # type: ignore[no-any-return]


def block_mask(documents: Tensor) -> Any:
    """The same for FlexAttention, which passes over blocks that nobody looks at."""
    from torch.nn.attention.flex_attention import create_block_mask

    def visible(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (documents[batch, query] == documents[batch, key])

    length = documents.shape[1]
    return create_block_mask(visible, len(documents), None, length, length, device=str(documents.device))


def flex(q: Tensor, k: Tensor, v: Tensor, where: Any) -> Tensor:
    """`packed_attention` with what `block_mask` made."""
    grouped = q.shape[1] != k.shape[1]
    return _flex(q.is_cuda)(q, k, v, block_mask=where, enable_gqa=grouped)  # type: ignore[no-any-return]


@lru_cache
def _flex(compiled: bool) -> Callable[..., Any]:
    """Only compiled it is a kernel; else it makes all scores."""
    from torch.nn.attention.flex_attention import flex_attention

    found: Any = torch.compile(flex_attention, dynamic=False) if compiled else flex_attention
    return found  # type: ignore[no-any-return]
