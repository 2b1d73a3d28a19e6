"""Documents end to end: where they end, and that every way of keeping them apart attends alike."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llemma.model import packing
from llemma.model.llama import attend
from llemma.model.packing import Packed, block_mask, document_mask, packed, packed_attention, way

CPU = torch.device("cpu")
ROWS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=3)


def numbered(rows: list[list[int]]) -> Tensor:
    """Documents of these lengths, cut or filled up to 24 places a row."""
    found = [[number for number, length in enumerate([*row, 24]) for _ in range(length)][:24] for row in rows]
    return torch.tensor(found)


def by_ends(q: Tensor, k: Tensor, v: Tensor, ends: Tensor, *_: object, **options: object) -> Tensor:
    """What `varlen_attn` computes, one document after the other; (places, heads, h)."""
    assert options == {"window_size": (-1, 0), "enable_gqa": q.shape[1] != k.shape[1]}
    parts = []
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        one, two, three = (part[start:stop].transpose(0, 1)[None] for part in (q, k, v))
        if stop > start:
            grouped = q.shape[1] != k.shape[1]
            found = torch.nn.functional.scaled_dot_product_attention(
                one, two, three, is_causal=True, enable_gqa=grouped
            )
            parts.append(found[0].transpose(0, 1))
    return torch.cat(parts)


def by_ends_of_2_11(q: Tensor, k: Tensor, v: Tensor, ends: Tensor, *rest: object, **options: object) -> Tensor:
    """The kernel of a PyTorch that does not share keys among queries."""
    assert options == {"window_size": (-1, 0)} and q.shape[1] == k.shape[1]
    return by_ends(q, k, v, ends, *rest, **options, enable_gqa=False)


@settings(deadline=None)
@given(rows=ROWS)
def test_ends_say_where_documents_begin(rows: list[list[int]]) -> None:
    documents = numbered(rows)
    found = packed(documents, CPU)
    places = torch.arange(documents.numel())
    number = torch.searchsorted(found.ends[1:].contiguous(), places.to(torch.int32), right=True).view(documents.shape)
    mask = document_mask(documents)[:, 0]
    same = number[:, :, None] == number[:, None, :]
    assert torch.equal(mask, same & torch.ones(24, 24, dtype=torch.bool).tril())
    assert found.ends[0] == 0 and (found.ends[1:] >= found.ends[:-1]).all() and found.ends[-1] == documents.numel()


def test_few_lengths_are_met_by_compiled_code() -> None:
    sizes = {len(packed(torch.arange(24).div(size, rounding_mode="floor")[None], CPU).ends) for size in range(1, 25)}
    assert sizes == {packing.LEAST}
    assert len(packed(torch.arange(200)[None], CPU).ends) == 256


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@settings(deadline=None, max_examples=15)
@given(rows=ROWS, heads=st.sampled_from([2, 4]))
@pytest.mark.slow
def test_documents_end_to_end_attend_as_the_mask_says(rows: list[list[int]], heads: int) -> None:
    documents = numbered(rows)
    draw = torch.Generator().manual_seed(0)
    q = torch.randn(len(rows), heads, 24, 8, generator=draw)
    k, v = (torch.randn(len(rows), 2, 24, 8, generator=draw) for _ in range(2))
    wanted = attend(q, k, v, document_mask(documents))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.nn.attention.varlen.varlen_attn", by_ends)
        torch.testing.assert_close(attend(q, k, v, packed(documents, CPU)), wanted)
        patch.setattr("torch.nn.attention.varlen.varlen_attn", by_ends_of_2_11)
        torch.testing.assert_close(attend(q, k, v, packed(documents, CPU)._replace(shares=False)), wanted)
    torch.testing.assert_close(attend(q, k, v, block_mask(documents)), wanted)


def test_the_kernel_takes_what_it_is_given() -> None:
    """PyTorch's own signature; the kernel itself needs a GPU."""
    if not packing.has_varlen():
        pytest.skip("this torch has no varlen_attn with windows and grouped queries")
    q = torch.zeros(1, 2, 24, 8, dtype=torch.bfloat16)
    ends = packed(torch.zeros(1, 24, dtype=torch.int64), CPU)
    with pytest.raises((NotImplementedError, RuntimeError)):
        packed_attention(q, q, q, Packed(*ends))


def test_a_cpu_and_sliding_windows_take_the_mask() -> None:
    assert way(CPU, half=True, slides=False) == way(torch.device("cuda"), half=True, slides=True) == "mask"
    assert way(torch.device("cuda"), half=False, slides=False) == "flex"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_attends_as_the_mask_says() -> None:
    device = torch.device("cuda")
    documents = numbered([[5, 7], [24], [1, 1, 9]])
    q, k, v = (torch.randn(3, 4, 24, 64, device=device, dtype=torch.bfloat16) for _ in range(3))
    wanted = attend(q, k, v, document_mask(documents).to(device))
    ways = ["flex", *(["varlen"] if packing.has_varlen() else [])]
    for how in ways:
        found = attend(q, k, v, packing.seen(documents, device, how))  # type: ignore[arg-type]
        torch.testing.assert_close(found, wanted, atol=2e-2, rtol=2e-2)
