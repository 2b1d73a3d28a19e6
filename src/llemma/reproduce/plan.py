"""What a recipe will do and cost, told before it starts: no torch, nothing written, a few seconds at most."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from llemma.core.console import count, duration, table
from llemma.core.recipe import Recipe
from llemma.core.runs import Mark
from llemma.reproduce.schema import LlemmaRecipe
from llemma.train.config import ModelConfig, TrainConfig

if TYPE_CHECKING:
    from llemma.corpus.config import CorpusConfig

# Shares of this machine's matrix-product rate that the work reaches; measured with `bench/rates.py` (docs/benchmarks.md).
TRAIN_SHARE = 1.5
SAMPLE_FLOPS = 60.0
CORPUS_BYTES_PER_SECOND = 2.0e6


class StagePlan(msgspec.Struct, frozen=True):
    """One line of the plan: `size` in words, `seconds` estimated (0 where nothing is known), `done` before."""

    stage: str
    size: str
    seconds: float
    done: bool


class Plan(msgspec.Struct, frozen=True):
    """All stages, and the matrix-product rate (FLOP/s, float32) that the times are estimated from."""

    recipe: str
    out: str
    stages: list[StagePlan]
    seconds: float
    rate: float


def make(recipe: Recipe[LlemmaRecipe], out: Path) -> Plan:
    """The plan of `reproduce` for a recipe in the run folder `out`."""
    value, rate = recipe.value, matmul_rate()
    done = _marks(out)
    stages = [
        StagePlan("problems", f"{value.problems.count} held-out problems", 0.0, "problems" in done),
        *([_corpus(value.corpus, out)] if value.corpus else []),
        StagePlan("tokenizer", f"{value.tokenizer.vocab_size:,} tokens vocabulary", 5.0, "tokenizer" in done),
        *(_training(value, rate, done)),
        *(_evaluation(value, rate, name, done) for name in value.train),
        StagePlan("report", "pages and plots", 10.0, "report" in done),
    ]
    return Plan(recipe.name, str(out), stages, sum(stage.seconds for stage in stages if not stage.done), rate)


def matmul_rate(seconds: float = 0.3) -> float:
    """FLOP/s of a float32 matrix product of this machine, now, with all its cores."""
    import numpy as np

    a = np.ones((768, 768), dtype=np.float32)
    a @ a  # the first product starts the threads
    started, products = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        a @ a
        products += 1
    return 2 * 768**3 * products / (time.perf_counter() - started)


def _marks(out: Path) -> set[str]:
    return {path.stem for path in (out / "marks").glob("*.json") if _readable(path)}


def _readable(path: Path) -> bool:
    try:
        msgspec.json.decode(path.read_bytes(), type=Mark)
    except (OSError, msgspec.DecodeError):
        return False
    return True


def _corpus(config: CorpusConfig, out: Path) -> StagePlan:
    subsets = {source.subset for source in config.sources.values()}
    size = f"{len(config.sources)} sources into {len(subsets)} subsets"
    return StagePlan("corpus", size, 60.0, (out / "corpus" / "stats.json").is_file())


def _training(recipe: LlemmaRecipe, rate: float, done: set[str]) -> list[StagePlan]:
    return [_phase(name, phase, recipe.model, recipe, rate, done) for name, phase in recipe.train.items()]


def _phase(
    name: str, phase: TrainConfig, model: ModelConfig | None, recipe: LlemmaRecipe, rate: float, done: set[str]
) -> StagePlan:
    from llemma.train import plan as costs

    stage = f"train-{name}"
    if model is None:
        return StagePlan(stage, f"{count(phase.tokens)} tokens from {phase.init}", 0.0, stage in done)
    cost = costs.plan(phase, costs.shape_of(model, recipe.tokenizer.vocab_size))
    size = f"{count(cost.parameters)} parameters, {count(cost.tokens)} tokens, {cost.steps:,} steps, {cost.flops:.1e} FLOPs"
    return StagePlan(stage, f"{size}, {cost.memory / 2**30:.1f} GiB", cost.flops / (TRAIN_SHARE * rate), stage in done)


def _evaluation(recipe: LlemmaRecipe, rate: float, name: str, done: set[str]) -> StagePlan:
    samples = recipe.problems.count * (1 + (recipe.eval.k if recipe.eval.k > 1 else 0))
    return StagePlan(f"eval-{name}", f"{samples:,} samples, bits per byte on each subset", 30.0, f"eval-{name}" in done)


def text(plan: Plan) -> str:
    """The plan as a table."""
    rows = [(stage.stage, stage.size, "done" if stage.done else duration(stage.seconds)) for stage in plan.stages]
    note = f"about {duration(plan.seconds)} to go, estimated from {plan.rate / 1e9:.0f} GFLOP/s of matrix products measured now"
    return f"{table(('stage', 'size', 'time'), rows)}\n{note}; run folder {plan.out}"
