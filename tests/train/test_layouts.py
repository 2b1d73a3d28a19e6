"""Machines, meshes and the search for what fits; the paper's own hours."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import RecipeError, UsageError
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.train import hardware
from llemma.train.config import TrainConfig
from llemma.train.layouts import MOST_GPUS, best, candidates, check, estimate, least, parse_mesh
from llemma.train.memory import Layout
from llemma.train.plan import flops_per_token, plan
from llemma.train.shapes import KNOWN

SMALL, LARGE = KNOWN["codellama/CodeLlama-7b-hf"], KNOWN["codellama/CodeLlama-34b-hf"]
H100, A100 = hardware.find("h100"), hardware.find("a100-40")


def config(steps: int = 42_000, **changes: object) -> TrainConfig:
    tokens = Count(steps * 1024 * 4096)
    return msgspec.structs.replace(
        TrainConfig(mixture=[Part("a", 1.0)], tokens=tokens, context=4096, batch=1024), **changes
    )


def test_the_hours_of_llemma_7b_follow_from_its_published_rate() -> None:
    """About 23,000 A100-hours at about 31 % MFU, which counts attention over the full square."""
    shape, phase = SMALL, config()
    as_published = 0.31 * flops_per_token(shape, 4096) / flops_per_token(shape, 4096, causal=False)
    layout = Layout(replica=16, shard=8, tensor=2, micro_batch=4)
    found = estimate(shape, phase, layout, A100, mfu=as_published)
    assert found.gpu_hours == pytest.approx(23_000, rel=0.03)
    assert found.hours == pytest.approx(23_000 / 256, rel=0.03)


def test_the_hours_of_llemma_34b_mean_a_fifth_of_the_peak() -> None:
    """47,000 A100-hours for 12,000 steps: with attention over the full square, 21 % (the 7B's 31 % would be 31,800)."""
    shape, phase = LARGE, config(12_000)
    layout = Layout(replica=4, shard=8, tensor=8, micro_batch=2)
    square = flops_per_token(shape, 4096) / flops_per_token(shape, 4096, causal=False)
    assert estimate(shape, phase, layout, A100, mfu=0.21 * square).gpu_hours == pytest.approx(47_000, rel=0.03)
    assert estimate(shape, phase, layout, A100, mfu=0.31 * square).gpu_hours == pytest.approx(31_800, rel=0.01)


def test_the_papers_machines_hold_the_papers_models() -> None:
    for shape, steps in ((SMALL, 42_000), (LARGE, 12_000)):
        found, fits = best(shape, config(steps), A100, candidates(shape, config(steps), 256, A100))
        assert fits and found.layout.gpus == 256 and found.memory.peak < 40e9


def test_time_is_work_over_rate_and_recomputing_takes_a_third_more() -> None:
    layout = Layout(shard=8, micro_batch=1)
    one, full = (
        estimate(SMALL, config(), msgspec.structs.replace(layout, checkpointing=policy), H100, 0.5, 2.0)
        for policy in ("none", "full")
    )
    work = plan(config(), SMALL).flops
    assert one.hours == pytest.approx(work / (8 * 989.4e12 * 0.5) / 3600)
    assert one.tokens_per_second == pytest.approx(config().tokens / (one.hours * 3600))
    assert one.cost == pytest.approx(2.0 * one.gpu_hours) and one.gpu_hours == pytest.approx(8 * one.hours)
    assert full.hours == pytest.approx(one.hours * 4 / 3) and full.mfu == pytest.approx(0.375) and one.mfu == 0.5


def test_a_tiny_network_waits_for_its_operations() -> None:
    tiny = msgspec.structs.replace(SMALL, hidden_size=128, intermediate_size=384, num_hidden_layers=4, vocab_size=2048)
    small, large = (estimate(tiny, config(context=320, batch=64), Layout(micro_batch=micro), H100) for micro in (2, 64))
    assert small.tokens_per_second == pytest.approx(2 * 320 / (4 * 125 * 5e-6)) and small.mfu < 0.02
    assert large.tokens_per_second > 10 * small.tokens_per_second


def test_single_precision_is_slower() -> None:
    layout = Layout(shard=8, micro_batch=1)
    fast, slow = (estimate(SMALL, config(precision=p), layout, H100) for p in ("bf16", "fp32"))
    assert slow.hours / fast.hours == pytest.approx(989.4 / 67)


@pytest.mark.parametrize("shape", [SMALL, LARGE, KNOWN["Qwen/Qwen2.5-1.5B"]], ids=["7b", "34b", "qwen"])
@pytest.mark.parametrize("kind", [kind for kind in hardware.KINDS if kind != "cpu"])
def test_the_least_number_of_gpus_fits_and_half_of_it_does_not(shape: object, kind: str) -> None:
    device = hardware.find(kind)
    found = least(shape, config(), device)  # type: ignore[arg-type]
    assert found is not None and found.fits and found.memory.peak <= found.usable < device.memory
    half = found.layout.gpus // 2
    if half:
        assert not best(shape, config(), device, candidates(shape, config(), half, device))[1]  # type: ignore[arg-type]


def test_a_model_that_nothing_holds() -> None:
    assert least(SMALL, config(), hardware.find("cpu")) is None
    huge = msgspec.structs.replace(KNOWN["Qwen/Qwen2.5-72B"], num_hidden_layers=80_000)
    assert MOST_GPUS == 1024 and least(huge, config(), hardware.find("rtx-4090")) is None


@given(st.sampled_from([1, 2, 3, 8, 24, 64, 256]), st.sampled_from([SMALL, LARGE, KNOWN["Qwen/Qwen2.5-7B"]]))
def test_every_candidate_divides_the_step(gpus: int, shape: object) -> None:
    for layout in candidates(shape, config(), gpus, H100):  # type: ignore[arg-type]
        assert layout.gpus == gpus and layout.tensor <= H100.node
        check(shape, config(), layout)  # type: ignore[arg-type]


def test_what_is_asked_for_is_kept() -> None:
    found = list(candidates(SMALL, config(), 8, H100, micro_batch=4, checkpointing="full", loss_chunk=512))
    assert found and {(one.micro_batch, one.checkpointing, one.loss_chunk) for one in found} == {(4, "full", 512)}


def test_the_best_layout_recomputes_only_where_it_must() -> None:
    roomy, _ = best(SMALL, config(), hardware.find("b200"), candidates(SMALL, config(), 64, hardware.find("b200")))
    tight, _ = best(LARGE, config(), A100, candidates(LARGE, config(), 16, A100))
    assert roomy.layout.checkpointing == "none" and tight.layout.checkpointing == "full"


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("replica=4,shard=8,tensor=2", (4, 8, 2)), ("shard=16", (1, 16, 1)), (" tensor=2, shard=4 ", (1, 4, 2))],
)
def test_meshes(text: str, sizes: tuple[int, int, int]) -> None:
    assert parse_mesh(text) == sizes


@pytest.mark.parametrize("text", ["8x2", "shrd=8", "shard=0", "shard=-2", "shard", "shard=two", ",", "shard=²"])
def test_meshes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the mesh"):
        parse_mesh(text)


def test_a_mesh_that_is_not_the_gpus() -> None:
    assert parse_mesh("shard=8,tensor=2", 16) == (1, 8, 2)
    with pytest.raises(UsageError, match="1 x 8 x 2 has 16 GPUs, not 8"):
        parse_mesh("shard=8,tensor=2", 8)


def test_layouts_that_a_step_cannot_have() -> None:
    with pytest.raises(RecipeError, match="do not divide into micro-batches of 3"):
        check(SMALL, config(), Layout(shard=8, micro_batch=3))
    with pytest.raises(UsageError, match="cannot share 64 query and 8 key heads"):
        check(LARGE, config(), Layout(tensor=16, micro_batch=1))


@pytest.mark.parametrize(
    ("kind", "name"), [("H100", "h100"), ("NVIDIA A100", "a100-80"), ("RTX 4090", "rtx-4090"), ("amd_mi300x", "mi300x")]
)
def test_kinds_by_other_names(kind: str, name: str) -> None:
    assert hardware.find(kind).name == name


def test_an_unknown_kind() -> None:
    with pytest.raises(UsageError, match="unknown kind of GPU 'h20' did you mean 'h200'"):
        hardware.find("h20")
    with pytest.raises(UsageError) as caught:
        hardware.find("abacus")
    assert "known kinds: a100-40" in caught.value.mend


def test_layers_are_cut_as_the_recipe_says_or_as_they_can_be() -> None:
    cut = {one.tensor for one in candidates(SMALL, config(), 8, H100)}
    assert cut == {1, 2, 4, 8} & {parts for parts in (1, 2, 4, 8) if SMALL.num_key_value_heads % parts == 0}
    assert {one.tensor for one in candidates(SMALL, config(tensor_parallel=2), 8, H100)} == {2}
    assert {one.tensor for one in candidates(SMALL, config(optimizer="muon"), 8, H100)} == {1}
    odd = msgspec.structs.replace(SMALL, vocab_size=SMALL.vocab_size + 1)
    assert {one.tensor for one in candidates(odd, config(), 8, H100)} == {1}
