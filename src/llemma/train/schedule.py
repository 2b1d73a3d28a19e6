"""Learning rates: each schedule is a pure function of the step, so a run may stop, resume or branch anywhere.

A rate is the peak times a factor. All schedules begin with the same linear warm-up; what follows has its own function
of the steps since the warm-up (`since`) and the steps it is laid out for (`length`), so that two runs with the same
settings have the same rates, however many steps each of them takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.train.config import TrainConfig


def schedule(step: int, steps: int, config: TrainConfig) -> float:
    """Learning rate of step 0, 1, ... of a phase that takes `steps` steps.

    The schedule is laid out over `schedule_steps`, or over the steps taken where that is 0; steps beyond its end keep
    the final rate. The warm-up reaches the peak with its last step.
    """
    length = config.schedule_steps or steps
    warmup = min(config.warmup_steps, length)
    if step < warmup:
        return config.peak_lr * (step + 1) / warmup
    return config.peak_lr * _SHAPES[config.schedule](step - warmup, length - warmup, config)


def cosine(since: int, length: int, config: TrainConfig) -> float:
    """Half a cosine from 1 down to `final_lr` (SGDR, arXiv 1608.03983, equation 5; Llemma, section 2.2)."""
    return config.final_lr + (1 - config.final_lr) * (0.5 * (1 + math.cos(math.pi * _progress(since, length))))


def linear(since: int, length: int, config: TrainConfig) -> float:
    """A straight line from 1 down to `final_lr`."""
    return 1 - (1 - config.final_lr) * _progress(since, length)


def constant(since: int, length: int, config: TrainConfig) -> float:
    """The peak to the end."""
    return 1.0


def wsd(since: int, length: int, config: TrainConfig) -> float:
    """Warm-up, stable, decay: the peak until `decay_steps` before the end, then down to `final_lr` (MiniCPM, arXiv
    2404.06395, section 4). Without `decay_steps` it never decays: a trunk to branch from."""
    since_decay = since - (length - config.decay_steps)
    if since_decay <= 0 or not config.decay_steps:
        return 1.0
    return config.final_lr + (1 - config.final_lr) * _DECAYS[config.decay](_progress(since_decay, config.decay_steps))


_SHAPES: dict[str, Callable[[int, int, TrainConfig], float]] = {
    "cosine": cosine,
    "linear": linear,
    "wsd": wsd,
    "constant": constant,
}

# What is left of the way down, by how much of the decay is over. `sqrt` falls fast at first and is the best of the
# three in arXiv 2405.18392, section 3.
_DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1 - progress,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "sqrt": lambda progress: 1 - math.sqrt(progress),
}


def _progress(since: int, length: int) -> float:
    return min(1.0, since / max(1, length))


def decay_branch(config: TrainConfig, at: int, decay_steps: int) -> TrainConfig:
    """The settings of a branch that leaves the stable part of a WSD run after `at` steps and decays over `decay_steps`.

    Its rates before step `at` are those of `config`, so the branch is what the trunk would have been with this length.
    Raises `RecipeError` where the run does not hold the peak until there.
    """
    stable_to = (config.schedule_steps or steps_of(config)) - config.decay_steps
    problem = ""
    if config.schedule not in ("wsd", "constant"):
        problem = f"schedule = '{config.schedule}' has no stable part to branch from"
    elif not min(config.warmup_steps, stable_to) <= at <= stable_to:
        problem = f"step {at:,} is outside the stable part, steps {config.warmup_steps:,} to {stable_to:,}"
    elif decay_steps < 1:
        problem = f"a decay of {decay_steps} steps"
    if problem:
        raise RecipeError(
            problem, where="branch", mend="branch from a step between the warm-up and the decay of a wsd run"
        )
    steps = at + decay_steps
    tokens = Count(steps * config.batch * config.context)
    return msgspec.structs.replace(config, schedule="wsd", schedule_steps=0, decay_steps=decay_steps, tokens=tokens)


def steps_of(config: TrainConfig) -> int:
    """Optimizer steps of a phase: whole batches only."""
    return max(1, config.tokens // max(1, config.batch * config.context))
