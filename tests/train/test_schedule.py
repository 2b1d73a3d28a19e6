"""Schedules are functions of the step: their laws, and the numbers they had before there were several."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llemma.core.errors import RecipeError
from llemma.core.recipe import Count
from llemma.core.types import Part
from llemma.train.config import TrainConfig
from llemma.train.schedule import decay_branch, schedule, steps_of

NAMES = ["cosine", "linear", "wsd", "constant"]


def config(**changes: object) -> TrainConfig:
    base = TrainConfig(mixture=[Part("a", 1.0)], tokens=Count(100), context=1, batch=1, peak_lr=1.0, warmup_steps=0)
    return msgspec.structs.replace(base, **changes)


@st.composite
def laid_out(draw: st.DrawFn, names: tuple[str, ...] = tuple(NAMES)) -> tuple[TrainConfig, int]:
    """Settings, and the steps that their schedule is laid out for."""
    steps, warmup = draw(st.integers(20, 400)), draw(st.integers(0, 10))
    found = config(
        schedule=draw(st.sampled_from(names)),
        warmup_steps=warmup,
        decay_steps=draw(st.integers(0, steps - warmup)),
        decay=draw(st.sampled_from(["linear", "cosine", "sqrt"])),
        final_lr=draw(st.floats(0, 1)),
        peak_lr=draw(st.floats(1e-6, 1)),
    )
    return found, steps


@given(laid_out())
def test_rates_stay_between_the_end_and_the_peak_and_never_rise_after_the_warm_up(
    case: tuple[TrainConfig, int],
) -> None:
    settings, steps = case
    rates = [schedule(step, steps, settings) for step in range(steps + 1)]
    low, slack = settings.peak_lr * settings.final_lr, 1e-12 * settings.peak_lr
    assert all(0 < rate <= settings.peak_lr + slack for rate in rates[:-1])
    after = rates[settings.warmup_steps :]
    assert all(rate >= low - slack for rate in after)
    assert all(first >= second - slack for first, second in pairwise(after))


@given(laid_out())
def test_the_warm_up_is_a_line_from_nothing_to_the_peak(case: tuple[TrainConfig, int]) -> None:
    settings, steps = case
    warmup = settings.warmup_steps
    for step in range(warmup):
        assert schedule(step, steps, settings) == pytest.approx(settings.peak_lr * (step + 1) / warmup)
    if warmup < steps - settings.decay_steps:
        assert schedule(warmup, steps, settings) == pytest.approx(settings.peak_lr)


@given(laid_out())
def test_the_end_is_the_share_that_was_asked_for_and_stays(case: tuple[TrainConfig, int]) -> None:
    settings, steps = case
    falls = settings.schedule in ("cosine", "linear") or (settings.schedule == "wsd" and settings.decay_steps)
    end = settings.peak_lr * (settings.final_lr if falls else 1)
    laid = msgspec.structs.replace(settings, schedule_steps=steps)
    assert schedule(steps, steps, settings) == pytest.approx(end)
    assert schedule(steps + 1000, steps + 2000, laid) == pytest.approx(end)


@given(laid_out(("cosine", "linear", "constant")))
def test_there_are_no_jumps(case: tuple[TrainConfig, int]) -> None:
    settings, steps = case
    slope = (1 - settings.final_lr) * math.pi / 2 / (steps - settings.warmup_steps)  # the steepest part of the cosine
    rates = [schedule(step, steps, settings) for step in range(settings.warmup_steps, steps + 1)]
    assert all(abs(first - second) <= settings.peak_lr * slope * 1.001 + 1e-15 for first, second in pairwise(rates))


@given(laid_out(("wsd",)), st.integers(1, 10_000))
def test_a_longer_run_has_the_rates_of_a_shorter_one_before_its_decay(case: tuple[TrainConfig, int], more: int) -> None:
    settings, steps = case
    stable = steps - settings.decay_steps
    for step in range(stable):
        assert schedule(step, steps, settings) == schedule(step, steps + more, settings)


@given(laid_out(), st.integers(1, 19))
def test_a_run_that_stops_early_had_the_rates_of_the_whole(case: tuple[TrainConfig, int], taken: int) -> None:
    settings, steps = case
    laid = msgspec.structs.replace(settings, schedule_steps=steps)
    assert [schedule(step, taken, laid) for step in range(taken)] == [
        schedule(step, steps, settings) for step in range(taken)
    ]


@given(st.integers(10, 89), st.integers(1, 50), st.sampled_from(["linear", "cosine", "sqrt"]))
def test_a_decay_branch_is_its_trunk_until_it_leaves_it_and_ends_low(at: int, decay_steps: int, decay: str) -> None:
    trunk = config(schedule="wsd", warmup_steps=10, decay=decay)
    branch = decay_branch(trunk, at, decay_steps)
    steps = steps_of(branch)
    assert steps == at + decay_steps
    assert [schedule(step, steps, branch) for step in range(at + 1)] == [schedule(s, 100, trunk) for s in range(at + 1)]
    assert schedule(steps, steps, branch) == pytest.approx(trunk.final_lr)
    assert decay_steps == 1 or schedule(steps - 1, steps, branch) < 1


@pytest.mark.parametrize(
    ("changes", "at", "decay_steps", "what"),
    [
        ({"schedule": "cosine"}, 50, 10, "no stable part"),
        ({"warmup_steps": 60}, 50, 10, "outside the stable part"),
        ({"decay_steps": 60}, 50, 10, "outside the stable part"),
        ({}, 50, 0, "a decay of 0 steps"),
    ],
)
def test_no_branch_where_the_peak_does_not_hold(
    changes: dict[str, object], at: int, decay_steps: int, what: str
) -> None:
    with pytest.raises(RecipeError, match=what):
        decay_branch(config(**{"schedule": "wsd", **changes}), at, decay_steps)


def test_the_cosine_has_the_numbers_it_always_had() -> None:
    """Bit for bit, so that old runs go on: warm-up, then half a cosine over the steps taken."""
    settings = config(peak_lr=3e-3, warmup_steps=40)
    for step in range(1875):
        progress = (step - 40) / max(1, 1875 - 40)
        falling = 3e-3 * (1 / 30 + (1 - 1 / 30) * (0.5 * (1 + math.cos(math.pi * progress))))
        assert schedule(step, 1875, settings) == (3e-3 * (step + 1) / 40 if step < 40 else falling)


def test_llemma_7b_stops_above_the_end_of_its_schedule() -> None:
    settings = config(peak_lr=1e-4, warmup_steps=500, schedule_steps=48_000)
    last = schedule(41_999, 42_000, settings)
    by_hand = 1e-4 * (1 / 30 + 29 / 30 * 0.5 * (1 + math.cos(math.pi * 41_499 / 47_500)))
    assert last == pytest.approx(by_hand) and last == pytest.approx(7.1e-6, rel=0.01)
    assert schedule(48_000, 42_000, settings) == pytest.approx(1e-4 / 30)


def test_half_way_down() -> None:
    def middle(decay: str) -> float:
        return schedule(90, 100, config(schedule="wsd", decay_steps=20, decay=decay, final_lr=0.0))

    assert middle("linear") == pytest.approx(0.5) and middle("cosine") == pytest.approx(0.5)
    assert middle("sqrt") == pytest.approx(1 - math.sqrt(0.5))
    assert schedule(50, 100, config(schedule="linear", final_lr=0.2)) == pytest.approx(0.6)
