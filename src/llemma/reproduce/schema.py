"""The schema of a recipe: every room's section, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from llemma.core import recipe as recipes
from llemma.core import registry
from llemma.core.errors import RecipeError, suggest
from llemma.core.recipe import Recipe
from llemma.corpus.config import CorpusConfig
from llemma.evals.config import EvalConfig
from llemma.overlap.config import OverlapConfig
from llemma.prove.config import ProveConfig
from llemma.tokens.config import TokenizerConfig
from llemma.train.config import ModelConfig, SweepConfig, TrainConfig, problems
from llemma.train.schedule import steps_of


class ProblemsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Generated word problems that are kept away from training and asked of every model."""

    count: int = 200
    """Held-out problems."""
    seed: int = 1_000_003
    """Their seed; must differ from the seeds of the corpus' own synthetic problems."""
    programs: bool = False
    """Ask them a second time, for a program whose value is the answer."""


class TheoremsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Generated theorems that are held out from training and asked of every model, where `[prove]` is there."""

    count: int = 40
    """How many."""
    seed: int = 1_000_003
    """Their seed; held-out theorems are others than those of the corpus, whatever the seed."""


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `llemma train` reads; `llemma reproduce` makes its own and does not look here."""

    tokens: str = ""
    """Folder of token stores, `<subset>/<split>/`."""
    tokenizer: str = ""
    """The tokenizer they were made with; empty means `tokenizer/` beside the stores."""


class LlemmaRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A recipe. A command reads the sections it needs and refuses a recipe that lacks one."""

    title: str = ""
    """One line for people."""
    plugins: list[str] = []
    """Python files that register sources, steps, tasks, judges or backends."""
    problems: ProblemsConfig = ProblemsConfig()
    corpus: CorpusConfig | None = None
    tokenizer: TokenizerConfig = TokenizerConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig | None = None
    train: dict[str, TrainConfig] = {}
    """Training phases in their order; the first starts from `[model]`, each other continues the one before."""
    sweep: SweepConfig | None = None
    """The mixture experiment: which weights of the sources are best, by short runs (`llemma sweep`)."""
    eval: EvalConfig = EvalConfig()
    theorems: TheoremsConfig = TheoremsConfig()
    prove: ProveConfig | None = None
    """How theorems are attempted; without it, none are."""
    overlap: dict[str, OverlapConfig] = {}
    """Searches by name for what the last phase's evaluation shares with the corpus."""


def load(name: str, sets: list[str] | tuple[str, ...] = ()) -> Recipe[LlemmaRecipe]:
    """Read and check a recipe, plug-ins loaded; everything that is wrong is reported before any work begins."""
    recipe = recipes.load(name, LlemmaRecipe, sets)
    for plugin in recipe.value.plugins:
        registry.load_plugin(Path(plugin))
    check(recipe)
    return recipe


def check(recipe: Recipe[LlemmaRecipe]) -> None:
    """Refuse what types cannot: unknown plug-ins, options a source lacks, mixtures of subsets that nobody fills."""
    value = recipe.value
    if value.corpus is not None:
        from llemma.corpus.check import open_sources

        open_sources(value.corpus)
        _check_subsets(recipe, value.corpus)
    for name, phase in value.train.items():
        _check_phase(recipe, name, phase)
    if value.sweep is not None:
        _check_sweep(recipe, value.sweep)
    if value.train and value.model is None and not any(phase.init for phase in value.train.values()):
        raise RecipeError(
            "a first training phase without a model to start from",
            where=f"{recipe.path} train",
            mend="add a [model] section for random weights, or init = 'CHECKPOINT_FOLDER' in the phase",
        )


def swept(value: LlemmaRecipe) -> str:
    """The name of the phase that the sweep's runs are; raises `RecipeError` where it cannot be told."""
    name = (value.sweep.phase if value.sweep else "") or (next(iter(value.train)) if len(value.train) == 1 else "")
    if name not in value.train:
        raise RecipeError(
            f"no training phase '{name}'" if name else "which training phase is swept?",
            where="sweep.phase",
            mend=f"one of {', '.join(value.train) or 'none: add [train.NAME]'}",
        )
    return name


def _check_sweep(recipe: Recipe[LlemmaRecipe], sweep: SweepConfig) -> None:
    name = swept(recipe.value)
    known = {part.source for part in recipe.value.train[name].mixture}
    tables = {"compare": sweep.compare, "natural": sweep.natural, "low": sweep.low, "high": sweep.high}
    tables |= {f"candidates[{i}]": given for i, given in enumerate(sweep.candidates)}
    wrong = [f"sweep.{key}: {what}" for key, given in tables.items() for what in _faults(given, sweep, known)]
    wrong += ["sweep.compare: fewer than two sources"] if len(sweep.compare) < 2 else []
    least = {"draws": 0, "repeats": 1}
    wrong += [f"sweep.{key} must be at least {limit}" for key, limit in least.items() if getattr(sweep, key) < limit]
    runs = 1 + len(sweep.candidates) + sweep.draws
    if runs < len(sweep.compare) + 2:
        wrong.append(f"{runs} runs cannot tell {len(sweep.compare)} sources apart: at least {len(sweep.compare) + 2}")
    if wrong:
        raise RecipeError("\n  ".join(wrong), where=str(recipe.path), mend="change these keys of the recipe")


def _faults(given: dict[str, float], sweep: SweepConfig, known: set[str]) -> list[str]:
    """What is wrong with one table of weights."""
    wrong = [f"train.{sweep.phase or 'PHASE'}.mixture lacks {name}" for name in sorted(set(given) - known)]
    wrong += [f"compare lacks {name}" for name in sorted((set(given) & known) - set(sweep.compare))]
    if given and (min(given.values()) < 0 or not any(given.values())):
        wrong.append("a weight below 0, or none above")
    return wrong


def _check_phase(recipe: Recipe[LlemmaRecipe], name: str, phase: TrainConfig) -> None:
    length = phase.schedule_steps or steps_of(phase)
    wrong = {
        f"batch {phase.batch} is not a multiple of micro_batch {phase.micro_batch}": phase.micro_batch > 0
        and phase.batch % phase.micro_batch,
        f"decay_steps does nothing under schedule = '{phase.schedule}'": phase.decay_steps and phase.schedule != "wsd",
        f"warm-up and decay take {phase.warmup_steps + phase.decay_steps:,} of the {length:,} steps of the schedule": (
            phase.decay_steps and phase.warmup_steps + phase.decay_steps > length
        ),
        "batch, context and tokens must be at least 1": min(phase.batch, phase.context, phase.tokens) < 1,
        "micro_batch and the steps of a schedule cannot be negative": min(
            phase.micro_batch, phase.schedule_steps, phase.warmup_steps, phase.decay_steps
        )
        < 0,
    }
    found = [*(what for what, there in wrong.items() if there), *problems(phase)]
    if found:
        raise RecipeError(
            "\n  ".join(found),
            where=f"{recipe.path} train.{name}",
            mend="change these keys of the recipe, or --set them",
        )


def _check_subsets(recipe: Recipe[LlemmaRecipe], corpus: CorpusConfig) -> None:
    known = {source.subset for source in corpus.sources.values()}
    named = [
        *(
            (f"train.{name}.mixture", part.source)
            for name, phase in recipe.value.train.items()
            for part in phase.mixture
        ),
        *(("tokenizer.subsets", subset) for subset in recipe.value.tokenizer.subsets),
    ]
    wrong = [
        f"{where}: no source fills the subset '{name}' {suggest(name, known)}".rstrip()
        for where, name in named
        if name not in known
    ]
    if wrong:
        raise RecipeError(
            "\n  ".join(wrong), where=str(recipe.path), mend=f"the subsets are {', '.join(sorted(known))}"
        )


def need(recipe: Recipe[LlemmaRecipe], section: str) -> Any:
    """The section of a recipe that a command cannot do without."""
    value = getattr(recipe.value, section)
    if not value:
        raise RecipeError(f"the recipe has no [{section}]", where=str(recipe.path), mend=f"add a [{section}] section")
    return value
