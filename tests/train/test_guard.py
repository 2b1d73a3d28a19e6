"""Steps that go wrong stand out of the last ones, and what rollbacks put aside is remembered."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from llemma.core.errors import LlemmaError
from llemma.core.recipe import Count
from llemma.train import guard
from llemma.train.config import TrainConfig
from llemma.train.guard import Guard, Rollback


def config(**changes: object) -> TrainConfig:
    return TrainConfig(mixture=[], tokens=Count(1), context=1, batch=1, **changes)  # type: ignore[arg-type]


def calm(found: Guard, steps: int, level: float = 2.0) -> list[str]:
    draw = random.Random(1)
    return [found.judge(level + draw.gauss(0, 0.05), 0.5 + draw.gauss(0, 0.05)) for _ in range(steps)]


def test_steps_as_usual_are_taken_and_spikes_are_not() -> None:
    found = Guard(config(), [])
    assert not any(calm(found, 300))
    assert found.judge(3.5, 0.5).startswith("loss 3.5 where 2")
    assert found.judge(2.0, 50.0).startswith("gradient norm 50 where 0.")
    assert found.streak == 2
    assert not found.judge(2.0, 0.5) and found.streak == 0
    assert not found.judge(0.5, 0.01)  # a fall is no spike


@pytest.mark.parametrize("loss, norm", [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_what_is_not_finite_is_never_taken(loss: float, norm: float) -> None:
    assert "not finite" in Guard(config(loss_spike=0.0, norm_spike=0.0), []).judge(loss, norm)


def test_nothing_stands_out_of_few_steps_or_where_the_guard_is_off() -> None:
    found = Guard(config(), [])
    calm(found, guard.LEAST - 1)
    assert not found.judge(100.0, 100.0)
    off = Guard(config(loss_spike=0.0, norm_spike=0.0), [])
    calm(off, 200)
    assert not off.judge(100.0, 100.0)


def test_a_higher_level_that_stays_becomes_the_usual_one() -> None:
    found = Guard(config(), [])
    calm(found, 200)
    assert any(calm(found, 40, level=4.0))
    calm(found, 60, level=4.0)
    assert not any(calm(found, 60, level=4.0))


def test_a_guard_goes_on_where_another_stopped() -> None:
    whole, first = Guard(config(), []), Guard(config(), [])
    calm(whole, 100)
    calm(first, 100)
    second = Guard(config(), first.seen, first.streak)
    draws = [(2.0 + i % 7, 0.5 + i % 3) for i in range(50)]
    assert [whole.judge(*draw) for draw in draws] == [second.judge(*draw) for draw in draws]
    assert whole.seen == second.seen and len(whole.seen) == guard.WINDOW


def test_many_steps_left_out_here_and_there_are_hopeless_too() -> None:
    found = Guard(config(), [])
    for _ in range(guard.MOST):
        found.judge(math.nan, 1.0)
        found.judge(2.0, 1.0)
    assert not found.hopeless
    found.judge(math.nan, 1.0)
    assert found.hopeless


def test_the_journal_knows_which_checkpoints_are_of_the_run(tmp_path: Path) -> None:
    journal = guard.read_journal(tmp_path, "work")
    for rollback in (Rollback(25, 20, (80, 100), "x"), Rollback(18, 10, (40, 110), "y")):
        journal = guard.added(tmp_path, journal, rollback, 2)
    guard.write_journal(tmp_path, journal)
    assert guard.read_journal(tmp_path, "work") == journal
    assert guard.read_journal(tmp_path, "other").rollbacks == []
    assert journal.left_out == [(80, 100), (40, 110)]
    assert journal.holds(10, 0) and not journal.holds(20, 0)  # the second rollback went back before it
    assert journal.holds(20, 2)  # written again after both
    assert not journal.spent(20)
    with pytest.raises(LlemmaError, match="2 rollbacks did not help"):
        guard.added(tmp_path, journal, Rollback(30, 20, (0, 1), "z"), 2)


@pytest.mark.parametrize("name", ["llemma-7b", "llemma-34b"])
def test_the_papers_large_batches_leave_out_smaller_spikes(name: str) -> None:
    from llemma.reproduce import schema

    (phase,) = schema.load(name).value.train.values()
    assert phase.norm_spike == 5.0 < TrainConfig(mixture=[], tokens=Count(1), context=1, batch=1).norm_spike
