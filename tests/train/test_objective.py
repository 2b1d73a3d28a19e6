"""The loss: chunks, documents and recomputed activations change what is in memory, not what is computed."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.model.llama import Llama, LlamaConfig
from llemma.model.packing import document_mask
from llemma.train.config import TrainConfig
from llemma.train.objective import IGNORED, Objective, chunked_loss
from llemma.train.sharding import _prepare

SIZES = LlamaConfig(
    vocab_size=61,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=1,
    tie_word_embeddings=True,
)


def config(**changes: object) -> TrainConfig:
    return TrainConfig(mixture=[], tokens=Count(1), context=12, batch=2, precision="fp32", **changes)  # type: ignore[arg-type]


def objective(**changes: object) -> Objective:
    return Objective(Llama(SIZES).init_weights(3), config(**changes), autocast=False)


def windows(rows: int = 2) -> Tensor:
    return torch.randint(0, 61, (rows, 13), generator=torch.Generator().manual_seed(5))


def gradients(found: Objective, *inputs: Tensor) -> tuple[float, float, dict[str, Tensor]]:
    total, nats = found(*inputs)
    (total / 7).backward()
    named = found.network.named_parameters()
    return (
        float(total.detach()),
        float(nats.detach()),
        {name: weight.grad for name, weight in named if weight.grad is not None},
    )


def same(one: dict[str, Tensor], other: dict[str, Tensor], tolerance: float) -> None:
    assert one.keys() == other.keys() and one
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=tolerance, atol=tolerance, msg=name)


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 40), chunk=st.integers(1, 50), z_loss=st.sampled_from([0.0, 1e-2]))
def test_chunks_give_the_loss_and_the_gradients_of_the_whole(rows: int, chunk: int, z_loss: float) -> None:
    draw = torch.Generator().manual_seed(rows)
    hidden = torch.randn(rows, 8, generator=draw, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(30, 8, generator=draw, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 30, (rows,), generator=draw)
    logits = hidden @ weight.T
    nats = F.cross_entropy(logits, targets, reduction="sum")
    whole = nats + z_loss * logits.logsumexp(-1).square().sum()
    found, told = chunked_loss(hidden, weight, targets, chunk, z_loss)
    torch.testing.assert_close((found, told), (whole.float(), nats.float()), rtol=1e-5, atol=1e-5)
    wanted = torch.autograd.grad(whole / 3, (hidden, weight))
    torch.testing.assert_close(torch.autograd.grad(found / 3, (hidden, weight)), wanted, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(chunked_loss(hidden, weight, targets, chunk, z_loss), (found, told))


@settings(max_examples=20, deadline=None)
@given(chunk=st.sampled_from([0, 5, 100]), z_loss=st.sampled_from([0.0, 1e-2]), masked=st.integers(0, 24))
def test_what_is_not_asked_for_does_not_count(chunk: int, z_loss: float, masked: int) -> None:
    """A network of whose targets some are ignored learns as if these rows of logits were not there."""
    found, ids = objective(loss_chunk=chunk, z_loss=z_loss), windows()
    labels = ids[:, 1:].clone()
    out = torch.randperm(labels.numel(), generator=torch.Generator().manual_seed(masked))[:masked]
    labels.view(-1)[out] = IGNORED
    kept = labels.flatten() != IGNORED
    other = objective()
    logits = other.network(ids[:, :-1]).flatten(0, 1)[kept]
    nats = F.cross_entropy(logits, ids[:, 1:].flatten()[kept], reduction="sum")
    whole = nats + z_loss * logits.logsumexp(-1).square().sum()
    (whole / 7).backward()
    total, told, grads = gradients(found, ids, None, labels)  # type: ignore[arg-type]
    assert (total, told) == pytest.approx((float(whole.detach()), float(nats.detach())), rel=1e-5, abs=1e-5)
    wanted = {name: weight.grad for name, weight in other.network.named_parameters() if weight.grad is not None}
    same(grads, wanted, 1e-5)
    with torch.no_grad():
        assert float(found(ids, None, labels)[0]) == pytest.approx(total, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("chunk", [0, 5])
def test_labels_that_ask_for_everything_change_no_bit(chunk: int) -> None:
    ids = windows()
    plain = gradients(objective(loss_chunk=chunk), ids)
    labelled = gradients(objective(loss_chunk=chunk), ids, None, ids[:, 1:].contiguous())  # type: ignore[arg-type]
    assert plain[:2] == labelled[:2]
    assert all(torch.equal(plain[2][name], labelled[2][name]) for name in plain[2])


@pytest.mark.skipif(not hasattr(F, "linear_cross_entropy"), reason="this torch has no linear_cross_entropy")
def test_chunks_agree_with_torchs_own() -> None:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(40, 8, generator=draw, requires_grad=True)
    weight = torch.randn(30, 8, generator=draw, requires_grad=True)
    targets = torch.randint(0, 30, (40,), generator=draw)
    theirs = F.linear_cross_entropy(hidden, weight, targets, reduction="sum")
    ours, _ = chunked_loss(hidden, weight, targets, 16, 0.0)
    torch.testing.assert_close(ours, theirs)
    inputs = (hidden, weight)
    torch.testing.assert_close(torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs))


@pytest.mark.parametrize("change", [{"loss_chunk": 5}, {"checkpointing": "selective"}, {"checkpointing": "full"}])
def test_switches_that_save_memory_compute_the_same(change: dict[str, object]) -> None:
    plain, switched = objective(z_loss=1e-3), objective(z_loss=1e-3, **change)
    _prepare(switched)
    one, other = gradients(plain, windows()), gradients(switched, windows())
    assert one[:2] == pytest.approx(other[:2], rel=1e-5)
    same(one[2], other[2], 1e-5)


def test_recomputed_layers_keep_fewer_activations() -> None:
    kept = {}
    for policy in ("none", "selective", "full"):
        found, sizes = objective(checkpointing=policy), list[int]()
        _prepare(found)

        def count(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            found(windows())
        kept[policy] = sum(sizes)
    assert kept["full"] < kept["none"] / 2


def test_documents_in_a_window_do_not_see_each_other() -> None:
    """Each document's logits in a shared window are those that it has in one of its own."""
    model = Llama(SIZES).init_weights(1)
    ids = windows(1)[:, :12]
    documents = torch.tensor([[0] * 5 + [1] * 4 + [2] * 3])
    with torch.no_grad():
        together = model(ids, mask=document_mask(documents))
        apart = torch.cat([model(ids[:, 0:5]), model(ids[:, 5:9]), model(ids[:, 9:12])], dim=1)
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)


def test_the_objective_masks_documents_only_where_it_is_told_of_them() -> None:
    found = objective()
    documents = torch.arange(13).div(5, rounding_mode="floor").expand(2, 13)
    plain, masked = found(windows())[1], found(windows(), documents)[1]
    one = found(windows(), torch.zeros_like(documents))[1]
    torch.testing.assert_close(plain, one)
    assert abs(float((plain - masked).detach())) > 1e-4


def test_what_needs_our_own_network_is_refused_for_others() -> None:
    with pytest.raises(RecipeError, match="need our own network"):
        Objective(nn.Linear(2, 2), config(loss_chunk=4), autocast=False)


@pytest.mark.slow
def test_compiled_layers_compute_the_same() -> None:
    plain, compiled = objective(), objective(compile=True)
    _prepare(compiled)
    one, other = gradients(plain, windows()), gradients(compiled, windows())
    assert one[:2] == pytest.approx(other[:2], rel=1e-5)
    same(one[2], other[2], 1e-4)
