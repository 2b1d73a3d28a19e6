"""The plan's memory and FLOPs beside measurements of the real loop, and how memory goes with the layout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.train.config import TrainConfig
from llemma.train.memory import Layout, memory
from llemma.train.plan import flops_per_token
from llemma.train.shapes import KNOWN, parameters

CODE_LLAMA = KNOWN["codellama/CodeLlama-7b-hf"]
TOLERANCE = 0.05
BENCH = Path(__file__).parents[2] / "bench"


def config(**changes: object) -> TrainConfig:
    base = TrainConfig(mixture=[Part("a", 1.0)], tokens=Count(10**9), context=4096, batch=1024)
    return msgspec.structs.replace(base, **changes)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    """`bench/plan.py`, which measures."""
    spec = importlib.util.spec_from_file_location("bench_plan", BENCH / "plan.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["small, fp32", "small, bf16", "mini, bf16, short", "deep, fp32", "wide, few tokens"])
def test_a_real_step_takes_what_the_plan_says(bench: ModuleType, name: str) -> None:
    case = bench.CASES[name]
    assert bench.planned(case)[1].peak == pytest.approx(bench.measured(case), rel=TOLERANCE)


@pytest.mark.slow
def test_a_sharded_step_takes_what_the_plan_says() -> None:
    """FSDP2 on two processes; how far they run ahead of each other depends on timing, so this is less sharp."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(BENCH / "plan_sharded.py")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"sizes"')]
    assert len(rows) == 3, done.stderr
    for row in rows:
        assert row["planned"] == pytest.approx(row["measured"], rel=0.15), row


@pytest.mark.parametrize("name", ["small, fp32", "mini, bf16, short"])
def test_torch_counts_the_same_flops(bench: ModuleType, name: str) -> None:
    """All products with weights; attention where it is computed as two products of the full square."""
    case = bench.CASES[name]
    (products, attention), (planned, square) = bench.counted_flops(case), bench.planned_flops(case)
    assert products == planned
    assert attention == (square if name.startswith("mini") else 0)


def test_flops_of_a_token_by_hand() -> None:
    """Code Llama 7B: 6 x 6.607 G weights that multiply, 12 x 32 x 4096 x 4096 for the square."""
    weights = 6 * (32 * (4 * 4096**2 + 3 * 4096 * 11_008) + 32_016 * 4096)
    assert flops_per_token(CODE_LLAMA, 4096, causal=False) == weights + 12 * 32 * 4096 * 4096
    assert flops_per_token(CODE_LLAMA, 4096) == weights + 6 * 32 * 4096 * 4096


layouts = st.builds(
    Layout,
    replica=st.sampled_from([1, 4]),
    shard=st.sampled_from([2, 8, 64]),
    tensor=st.sampled_from([1, 2, 8]),
    micro_batch=st.integers(1, 4),
    checkpointing=st.sampled_from(["none", "selective", "full"]),
    loss_chunk=st.sampled_from([0, 1024]),
)


@given(layouts)
def test_states_are_divided_and_never_lost(layout: Layout) -> None:
    found, slices = memory(CODE_LLAMA, config(), layout), layout.shard * layout.tensor
    whole = 4 * parameters(CODE_LLAMA)
    assert found.weights == found.gradients == whole // slices and found.optimizer == 2 * whole // slices
    parts = msgspec.structs.asdict(found)
    peak = parts.pop("peak")
    assert max(parts.values()) <= peak <= sum(parts.values())


@given(layouts)
def test_each_setting_saves_what_it_is_for(layout: Layout) -> None:
    def with_(**changes: object) -> int:
        return memory(CODE_LLAMA, config(), msgspec.structs.replace(layout, **changes)).peak

    assert with_(checkpointing="full") < with_(checkpointing="selective") < with_(checkpointing="none")
    assert with_(micro_batch=1) < with_(micro_batch=2)
    assert with_(shard=128) < with_(shard=16)
    assert with_(tensor=4) < with_(tensor=1)
    assert with_(replica=1) == with_(replica=2)


def test_a_chunked_loss_pays_where_the_vocabulary_is_large() -> None:
    qwen = KNOWN["Qwen/Qwen2.5-1.5B"]
    whole, chunked = (memory(qwen, config(), Layout(micro_batch=4, shard=2, loss_chunk=n)) for n in (0, 1024))
    assert whole.loss == 12 * 4 * 4096 * 151_936 and chunked.loss < 0.1 * whole.loss


def test_muon_keeps_one_moment_of_the_matrices() -> None:
    adamw, muon = (
        memory(CODE_LLAMA, config(optimizer=name), Layout(micro_batch=1)).optimizer for name in ("adamw", "muon")
    )
    matrices = 32 * (4 * 4096**2 + 3 * 4096 * 11_008)
    assert adamw - muon == 4 * matrices


def test_without_accumulation_gradients_come_as_activations_go() -> None:
    one = memory(CODE_LLAMA, config(batch=1), Layout(micro_batch=1))
    two = memory(CODE_LLAMA, config(batch=2), Layout(micro_batch=1))
    assert two.peak - one.peak == min(one.gradients, one.activations + one.loss)
