"""What a recipe will do and cost, told before it starts: no torch, nothing written, a few seconds at most."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from llemma.core.console import count, duration, table
from llemma.core.home import cache_folder
from llemma.core.recipe import Recipe
from llemma.core.runs import Mark
from llemma.reproduce import inputs
from llemma.reproduce.schema import LlemmaRecipe
from llemma.train.config import ModelConfig, TrainConfig

# Rates of a two-core machine, from the marks of finished runs (bench/rates.py prints them; docs/benchmarks.md): work a
# second for what does not depend on matrix products, a share of the measured product rate for what does.
READ_BYTES = 5e6
TOKENIZE_BYTES = 3e6
TRAIN_SHARE = 0.5
SAMPLE_SHARE = 0.1
SCORE_SHARE = 0.25
PROMPT_TOKENS = 250
PROVE_BYTES = 8e4  # of proof steps, which a prover runs
PROVEN = ("rocq-steps", "theorems")
CHECK_SECONDS = 1.0  # of a proof from a fresh process
STEP_SECONDS = 0.02  # of a tactic, those that run into their limit among them


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
        *(_corpus(value, out, done) if value.corpus else []),
        *(_training(value, rate, done)),
        *(_evaluation(value, rate, name, done) for name in value.train),
        *(_proving(value, rate, name, done) for name in value.train if value.prove is not None),
        *(_overlap(value, name, done) for name in value.overlap),
        StagePlan("report", "pages and plots", 2.0, False),
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


def _corpus(recipe: LlemmaRecipe, out: Path, done: set[str]) -> list[StagePlan]:
    """Corpus and tokens; a source whose size nobody knows before it is fetched is named, not guessed."""
    assert recipe.corpus is not None
    sizes = {name: inputs.size(source, cache_folder()) for name, source in recipe.corpus.sources.items()}
    known = sum(size for size in sizes.values() if size)
    unknown = [name for name, size in sizes.items() if size is None]
    size = f"{len(sizes)} sources, {known / 1e6:.0f} MB" + (
        f" and {', '.join(unknown)} (not here yet)" if unknown else ""
    )
    proofs = sum(sizes[name] or 0 for name, source in recipe.corpus.sources.items() if source.kind in PROVEN)
    seconds = (known - proofs) / READ_BYTES + proofs / PROVE_BYTES
    built = (out / "corpus" / "stats.json").is_file()
    tokenized = any(name.startswith("tokens-") for name in done)
    return [
        StagePlan("corpus", size, seconds, built),
        StagePlan("tokens", f"{recipe.tokenizer.vocab_size:,} tokens vocabulary", known / TOKENIZE_BYTES, tokenized),
    ]


def _overlap(recipe: LlemmaRecipe, name: str, done: set[str]) -> StagePlan:
    config, stage = recipe.overlap[name], f"overlap-{list(recipe.train)[-1]}-{name}"
    lengths = ", ".join(str(length) for length in config.ngram)
    kinds = ", ".join(f"{kind}s" for kind in config.of)
    return StagePlan(stage, f"{kinds} in the corpus, n = {lengths}", 3.0, stage in done)


def _training(recipe: LlemmaRecipe, rate: float, done: set[str]) -> list[StagePlan]:
    return [_phase(name, phase, recipe.model, recipe, rate, done) for name, phase in recipe.train.items()]


def _phase(
    name: str, phase: TrainConfig, model: ModelConfig | None, recipe: LlemmaRecipe, rate: float, done: set[str]
) -> StagePlan:
    from llemma.train import plan as costs

    stage = f"train-{name}"
    if model is None:
        return StagePlan(stage, f"{count(phase.tokens)} tokens from {phase.init}", 0.0, stage in done)
    cost = costs.plan(phase, costs.shape_of(model, recipe.tokenizer.vocab_size), cpu=True)
    size = (
        f"{count(cost.parameters)} parameters, {count(cost.tokens)} tokens, {cost.steps:,} steps, {cost.flops:.0e} FLOP"
    )
    return StagePlan(stage, f"{size}, {cost.memory / 2**30:.1f} GiB", cost.flops / (TRAIN_SHARE * rate), stage in done)


def _evaluation(recipe: LlemmaRecipe, rate: float, name: str, done: set[str]) -> StagePlan:
    """Two FLOPs a weight and token: the prompts once, every sample to its last token, the texts to be scored twice."""
    from llemma.train import plan as costs

    config, corpus = recipe.eval, recipe.corpus
    asked = recipe.problems.count * (2 if recipe.problems.programs else 1)
    samples = asked * (1 + (config.k if config.k > 1 else 0))
    groups = len(corpus.sources) if corpus else 0
    size = f"{samples:,} samples, bits per byte on {groups} sources"
    if recipe.model is None:
        return StagePlan(f"eval-{name}", size, 0.0, f"eval-{name}" in done)
    weights = costs.parameters(costs.shape_of(recipe.model, recipe.tokenizer.vocab_size))
    generated = samples * (config.max_tokens or 512) + asked * PROMPT_TOKENS * 2
    scored = groups * config.perplexity_bytes / 2.5 * 2
    seconds = 2 * weights * (generated / (SAMPLE_SHARE * rate) + scored / (SCORE_SHARE * rate))
    return StagePlan(f"eval-{name}", size, seconds, f"eval-{name}" in done)


def _proving(recipe: LlemmaRecipe, rate: float, name: str, done: set[str]) -> StagePlan:
    """At the most: every theorem expanded as often as it may be, and one proof each checked."""
    from llemma.train import plan as costs

    config, count = recipe.prove, recipe.theorems.count
    assert config is not None
    search = config.search
    asked = count * search.expansions
    size = f"{count} theorems, at most {search.expansions} expansions of {search.samples} tactics"
    seconds = (asked * search.samples * STEP_SECONDS + 2 * count * CHECK_SECONDS) / config.workers
    if recipe.model is not None:
        weights = costs.parameters(costs.shape_of(recipe.model, recipe.tokenizer.vocab_size))
        tokens = asked * (PROMPT_TOKENS + search.samples * search.max_tokens)
        seconds += 2 * weights * tokens / (SAMPLE_SHARE * rate)
    return StagePlan(f"prove-{name}", size, seconds, f"prove-{name}" in done)


def text(plan: Plan) -> str:
    """The plan as a table."""
    rows = [(stage.stage, stage.size, "done" if stage.done else duration(stage.seconds)) for stage in plan.stages]
    rate = f"{plan.rate / 1e9:.0f} GFLOP/s of matrix products measured now"
    note = f"about {duration(plan.seconds)} to go, estimated from {rate}"
    return f"{table(('stage', 'size', 'time'), rows)}\n{note}; run folder {plan.out}"
