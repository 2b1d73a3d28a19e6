"""Float8 products: their scales, their error, their gradients, and where they are refused. PyTorch's CPU computes them
as a GPU does, only slowly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llemma.core.errors import RecipeError
from llemma.model.fp8 import E4M3, E5M2, Float8Linear, check, convert, product, quantised
from llemma.model.llama import Llama, LlamaConfig

SIZES = LlamaConfig(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=4,
    num_attention_heads=2,
    num_key_value_heads=1,
)


@settings(deadline=None)
@given(size=st.floats(1e-6, 1e6), kind=st.sampled_from([(E4M3, 2**-4), (E5M2, 2**-3)]))
def test_scaled_numbers_lose_no_more_than_their_last_bit(size: float, kind: tuple[torch.dtype, float]) -> None:
    dtype, step = kind
    x = torch.randn(64, generator=torch.Generator().manual_seed(1)) * size
    small, scale = quantised(x, dtype)
    back = small.float() * scale
    assert float(back.abs().max()) == pytest.approx(float(x.abs().max()), rel=1e-5)  # the largest uses the whole range
    large = x.abs() > x.abs().max() * 2**-6  # below, numbers have fewer bits
    assert float(((back - x).abs() / x.abs())[large].max()) <= step


def test_zeros_stay_zeros() -> None:
    small, scale = quantised(torch.zeros(16, 16), E4M3)
    assert torch.isfinite(scale) and not small.float().any()


def test_a_product_is_that_of_the_rounded_factors() -> None:
    a, b = quantised(torch.randn(32, 48), E4M3), quantised(torch.randn(16, 48), E5M2)
    wanted = (a[0].float() @ b[0].float().T) * a[1] * b[1]
    torch.testing.assert_close(product(a, b, torch.float32), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [False, True])
def test_a_layer_and_its_gradients_are_near_those_of_float32(bias: bool) -> None:
    torch.manual_seed(0)
    layer = Float8Linear(48, 32, bias=bias)
    x = torch.randn(2, 16, 48, requires_grad=True)
    y = layer(x)
    assert y.dtype == torch.bfloat16
    slope = torch.randn(2, 16, 32)
    (y.float() * slope).sum().backward()
    grads = x.grad, layer.weight.grad
    assert grads[0] is not None and grads[1] is not None
    wanted = torch.nn.functional.linear(x, layer.weight, layer.bias)
    inputs = torch.autograd.grad((wanted * slope).sum(), (x, layer.weight))
    for found, right in ((y, wanted), (grads[0], inputs[0]), (grads[1], inputs[1])):
        error = (found.float() - right).norm() / right.norm()
        assert 1e-4 < error < 0.08


def test_inner_layers_alone_are_converted_and_train() -> None:
    model = Llama(SIZES).init_weights(0)
    names = dict(model.named_parameters()).keys()
    assert convert(model) == 2 * 7
    assert dict(model.named_parameters()).keys() == names
    kinds = [type(block.mlp.up_proj) is Float8Linear for block in model.blocks]
    assert kinds == [False, True, True, False] and type(model.lm_head) is not Float8Linear
    ids = torch.randint(0, 64, (2, 16))
    with torch.autocast("cpu", torch.bfloat16):
        found = model(ids).float()
    found.square().sum().backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in model.parameters())
    wanted = Llama(SIZES).init_weights(0)(ids)
    assert float(((found - wanted).norm() / wanted.norm()).detach()) < 0.1


def test_a_machine_without_float8_is_told() -> None:
    with pytest.raises(RecipeError, match="a CPU cannot multiply float8"):
        check(torch.device("cpu"))
